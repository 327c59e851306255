import {
  Button,
  Checkbox,
  FileInput,
  Group,
  Modal,
  NativeSelect,
  PasswordInput,
  Stack,
  Textarea,
  TextInput,
} from '@mantine/core';
import { type UseFormReturnType, useForm } from '@mantine/form';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import { useCreateProvider, usePresets } from './api';
import { EMPTY_FORM, type ProviderForm, ROLES, rolesProblem, toRequest } from './newProvider';

interface CreateProviderDialogProps {
  opened: boolean;
  onClose: () => void;
}

/** A new provider: which one, its address or metadata, and who may come in as what. */
export function CreateProviderDialog({ opened, onClose }: CreateProviderDialogProps) {
  const presets = usePresets().data ?? [];
  const create = useCreateProvider();
  const form = useForm<ProviderForm>({
    initialValues: EMPTY_FORM,
    validate: {
      name: (value) => (value.trim() === '' ? 'Enter the name for its button.' : null),
      issuer: (value, all) =>
        all.preset === 'saml' || /^https:\/\/[^{}\s]+$/.test(value.trim())
          ? null
          : 'Enter the issuer as it stands in its tokens, beginning with https://.',
      clientId: (value, all) =>
        all.preset === 'saml' || value.trim() !== '' ? null : 'Enter the client id.',
      clientSecret: (value, all) =>
        all.preset === 'saml' || value !== '' ? null : 'Enter the client secret.',
      metadata: (value, all) =>
        all.preset !== 'saml' || value.trim() !== '' ? null : 'Upload or paste the metadata.',
      roles: rolesProblem,
    },
  });
  const close = () => {
    form.reset();
    create.reset();
    onClose();
  };
  const choose = (key: string) => {
    const preset = presets.find((known) => known.key === key);
    form.setValues({
      preset: key,
      issuer: preset?.issuer ?? '',
      groupsClaim: preset?.groups_claim ?? '',
    });
  };
  const submit = (values: ProviderForm) => {
    const preset = presets.find((known) => known.key === values.preset);
    create.mutate(toRequest(values, preset), { onSuccess: close });
  };
  const options = presets.map((preset) => ({ value: preset.key, label: preset.title }));
  return (
    <Modal opened={opened} onClose={close} title="Add identity provider" size="lg">
      <form noValidate onSubmit={form.onSubmit(submit)}>
        <Stack gap="sm">
          {create.error && <Banner tone="bad">{errorText(create.error)}</Banner>}
          <NativeSelect
            label="Provider"
            data={[...options, { value: 'saml', label: 'SAML 2.0' }]}
            value={form.values.preset}
            onChange={(event) => choose(event.currentTarget.value)}
          />
          <TextInput label="Name" description="On the button." {...form.getInputProps('name')} />
          {form.values.preset === 'saml' ? <SamlFields form={form} /> : <OidcFields form={form} />}
          <PeopleFields form={form} />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={create.isPending}>
              Add provider
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

interface FieldsProps {
  form: UseFormReturnType<ProviderForm>;
}

function OidcFields({ form }: FieldsProps) {
  return (
    <>
      <TextInput label="Issuer" type="url" {...form.getInputProps('issuer')} />
      <TextInput label="Client id" autoComplete="off" {...form.getInputProps('clientId')} />
      <PasswordInput
        label="Client secret"
        description="Kept sealed and never shown again."
        autoComplete="off"
        {...form.getInputProps('clientSecret')}
      />
      <TextInput
        label="Claim with the groups"
        description="Dots lead into objects, as in realm_access.roles."
        {...form.getInputProps('groupsClaim')}
      />
    </>
  );
}

function SamlFields({ form }: FieldsProps) {
  return (
    <>
      <FileInput
        label="Metadata file"
        accept=".xml,application/xml,text/xml,application/samlmetadata+xml"
        onChange={async (file) => form.setFieldValue('metadata', file ? await file.text() : '')}
      />
      <Textarea
        label="Metadata of the identity provider"
        description="The XML document that its administrator hands out."
        rows={5}
        {...form.getInputProps('metadata')}
      />
    </>
  );
}

function PeopleFields({ form }: FieldsProps) {
  return (
    <>
      <Textarea
        label="Allowed email domains"
        description="One per line. Empty lets everybody of the provider in."
        rows={2}
        {...form.getInputProps('domains')}
      />
      <Textarea
        label="Groups to roles"
        description={`group = role, one per line. Roles: ${ROLES.join(', ')}.`}
        rows={2}
        {...form.getInputProps('roles')}
      />
      <NativeSelect
        label="People in none of these groups"
        data={[
          { value: 'pending', label: 'wait for an administrator' },
          ...ROLES.map((role) => ({ value: role, label: `get ${role}` })),
        ]}
        {...form.getInputProps('defaultRole')}
      />
      <Checkbox
        label="Take its email addresses for verified"
        description="Only for providers on which people cannot change their address themselves."
        {...form.getInputProps('trustEmail', { type: 'checkbox' })}
      />
    </>
  );
}
