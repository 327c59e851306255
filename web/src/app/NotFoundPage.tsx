import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { CentredPage } from '@/ui/CentredPage';

export function NotFoundPage() {
  return (
    <CentredPage
      title="This page does not exist"
      description="The address may be mistyped, or what was here has been removed."
    >
      <Button component={Link} to="/hosts">
        Go to hosts
      </Button>
    </CentredPage>
  );
}
