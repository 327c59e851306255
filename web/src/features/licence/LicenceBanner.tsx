import { Box, Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useCan } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { useLicence } from './api';
import { noticeText } from './words';

const DISMISSED = 'ctops-licence-notice';

function dismissed(): string | null {
  try {
    return localStorage.getItem(DISMISSED);
  } catch {
    return null;
  }
}

/** Tells administrators on every page that the licence ends or ended; each stage can be dismissed. */
export function LicenceBanner() {
  const allowed = useCan('licence.read');
  const { data } = useLicence(allowed);
  const [hidden, setHidden] = useState(dismissed);
  const notice = data?.banner;
  if (!allowed || !notice) {
    return null;
  }
  const stage = `${data.key?.jti ?? ''} ${notice.stage}`;
  if (hidden === stage) {
    return null;
  }
  const dismiss = () => {
    try {
      localStorage.setItem(DISMISSED, stage);
    } catch {
      // Storage can be blocked; the notice comes back with the next page then.
    }
    setHidden(stage);
  };
  return (
    <Box mb="md">
      <Banner
        tone={notice.status === 'active' ? 'warn' : 'bad'}
        action={
          <Button variant="subtle" size="compact-sm" onClick={dismiss}>
            Dismiss
          </Button>
        }
      >
        {noticeText(notice)} <Link to="/settings/licence">Licence</Link>
      </Banner>
    </Box>
  );
}
