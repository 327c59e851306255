import { Button, FileButton, Group, Stack } from '@mantine/core';
import { useState } from 'react';
import { API_BASE, segment } from '@/api/client';
import type { Organisation } from '@/api/schema';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useSaveOrganisation } from './api';

const MAX_LOGO_BYTES = 64 * 1024;

async function base64Of(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

/** The organisation's logo: a small picture, never a drawing that can hold scripts. */
export function LogoField({ organisation }: { organisation: Organisation }) {
  const save = useSaveOrganisation(organisation.id);
  const [tooBig, setTooBig] = useState(false);
  const choose = async (file: File | null) => {
    setTooBig(file !== null && file.size > MAX_LOGO_BYTES);
    if (file && file.size <= MAX_LOGO_BYTES) {
      save.mutate({ logo: await base64Of(file) });
    }
  };
  return (
    <Stack gap="md">
      {tooBig && <Banner tone="bad">Use a picture of at most 64 KiB.</Banner>}
      {save.isError && <Banner tone="bad">{errorText(save.error)}</Banner>}
      {organisation.has_logo && (
        <img
          src={`${API_BASE}/organisations/${segment(organisation.id)}/logo`}
          alt={`Logo of ${organisation.name}`}
          height={48}
        />
      )}
      <Group gap="xs">
        <FileButton onChange={choose} accept="image/png,image/jpeg,image/webp">
          {(props) => (
            <Button {...props} variant="default" loading={save.isPending}>
              Choose a picture
            </Button>
          )}
        </FileButton>
        {organisation.has_logo && (
          <Button variant="default" onClick={() => save.mutate({ logo: null })}>
            Remove logo
          </Button>
        )}
      </Group>
    </Stack>
  );
}
