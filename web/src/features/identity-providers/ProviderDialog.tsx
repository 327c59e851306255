import { Button, Checkbox, Group, Modal, NativeSelect, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import type { IdentityProvider } from '@/api/identityProviders';
import { isProblem } from '@/api/problem';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useFreshProvider, usePresets, useSaveProvider } from './api';
import { ConflictNotice } from './ConflictNotice';
import {
  EMPTY_FORM,
  fieldErrors,
  type ProviderForm,
  proposed,
  rolesProblem,
  toForm,
  toInput,
} from './form';
import { OidcFields } from './OidcFields';
import { PeopleFields } from './PeopleFields';
import { SamlFields } from './SamlFields';

interface ProviderDialogProps {
  /** The provider to change; a new one without. */
  provider?: IdentityProvider;
  onClose: () => void;
}

const isAddress = (text: string) => /^https?:\/\/[^{}\s]+$/.test(text.trim());

function rules(isNew: boolean) {
  const oidc = (check: (value: string, all: ProviderForm) => string | null) =>
    function ofOidc(value: string, all: ProviderForm) {
      return all.preset === 'saml' ? null : check(value, all);
    };
  const ownAddress = oidc((value, all) =>
    !all.ownEndpoints || isAddress(value) ? null : 'Enter an address beginning with https://.',
  );
  return {
    name: (value: string) => (value.trim() === '' ? 'Enter the name for its button.' : null),
    issuer: oidc((value) =>
      isAddress(value)
        ? null
        : 'Enter the issuer as it stands in its tokens, beginning with https://.',
    ),
    clientId: oidc((value) => (value.trim() === '' ? 'Enter the client id.' : null)),
    clientSecret: oidc((value) => (isNew && value === '' ? 'Enter the client secret.' : null)),
    authorization: ownAddress,
    token: ownAddress,
    jwks: ownAddress,
    metadata: (value: string, all: ProviderForm) =>
      isNew && all.preset === 'saml' && value.trim() === ''
        ? 'Upload or paste the metadata.'
        : null,
    roles: rolesProblem,
  };
}

/** Adds a provider or changes one: where it is, what it says of people, and who may come in as what. */
export function ProviderDialog({ provider, onClose }: ProviderDialogProps) {
  const presets = usePresets().data ?? [];
  const save = useSaveProvider(provider?.id);
  const fresh = useFreshProvider();
  const [version, setVersion] = useState(provider?.version);
  const form = useForm<ProviderForm>({
    initialValues: provider ? toForm(provider) : EMPTY_FORM,
    validate: rules(provider === undefined),
  });
  const choose = (key: string) => {
    const preset = presets.find((known) => known.key === key);
    form.setValues(preset ? proposed(preset) : { preset: key });
  };
  const refused = (error: unknown) => {
    if (provider && isProblem(error, 'version_conflict')) {
      fresh.mutate(provider.id);
    } else if (isProblem(error)) {
      form.setErrors(fieldErrors(error.fieldMessages()));
    }
  };
  const settle = (values: Partial<ProviderForm>, stored: IdentityProvider) => {
    form.setValues(values);
    setVersion(stored.version);
    save.reset();
    fresh.reset();
  };
  const conflict = isProblem(save.error, 'version_conflict');
  const stored = fresh.data;
  const options = presets.map((preset) => ({ value: preset.key, label: preset.title }));
  const isSaml = form.values.preset === 'saml';
  return (
    <Modal
      opened
      onClose={onClose}
      title={provider ? 'Change identity provider' : 'Add identity provider'}
      size="lg"
    >
      <form
        noValidate
        onSubmit={form.onSubmit((values) =>
          save.mutate(
            { input: toInput(values), version },
            { onSuccess: onClose, onError: refused },
          ),
        )}
      >
        <Stack gap="sm">
          {!provider && (
            <NativeSelect
              label="Provider"
              data={[...options, { value: 'saml', label: 'SAML 2.0' }]}
              value={form.values.preset}
              onChange={(event) => choose(event.currentTarget.value)}
            />
          )}
          <TextInput label="Name" description="On the button." {...form.getInputProps('name')} />
          {isSaml ? (
            <SamlFields form={form} stored={provider} />
          ) : (
            <OidcFields form={form} stored={provider} />
          )}
          <PeopleFields form={form} />
          <Checkbox
            label="Offer it on the sign-in page"
            {...form.getInputProps('enabled', { type: 'checkbox' })}
          />
          {conflict && stored && (
            <ConflictNotice
              mine={form.values}
              theirs={toForm(stored)}
              onMine={() => settle({}, stored)}
              onTheirs={() => settle(toForm(stored), stored)}
            />
          )}
          {save.error && !(conflict && stored) && (
            <Banner tone="bad">{errorText(save.error)}</Banner>
          )}
          {fresh.error && <Banner tone="bad">{errorText(fresh.error)}</Banner>}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending} disabled={conflict}>
              {provider ? 'Save' : 'Add provider'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
