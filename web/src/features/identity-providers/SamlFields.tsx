import { Checkbox, Fieldset, FileInput, Stack, Textarea, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import type { IdentityProvider } from '@/api/identityProviders';
import type { ProviderForm } from './form';

interface SamlFieldsProps {
  form: UseFormReturnType<ProviderForm>;
  /** The provider as it is stored; none while one is added. */
  stored: IdentityProvider | undefined;
}

/** What SAML needs. */
export function SamlFields({ form, stored }: SamlFieldsProps) {
  return (
    <>
      <FileInput
        label="Metadata file"
        accept=".xml,application/xml,text/xml,application/samlmetadata+xml"
        clearable
        clearButtonProps={{ 'aria-label': 'Remove the file' }}
        onChange={async (file) => form.setFieldValue('metadata', file ? await file.text() : '')}
      />
      <Textarea
        label="Metadata of the identity provider"
        description={
          stored
            ? 'Stored. Enter new ones when its certificates or addresses change.'
            : 'The XML document that its administrator hands out.'
        }
        rows={4}
        {...form.getInputProps('metadata')}
      />
      <Fieldset legend="What it says of people">
        <Stack gap="sm">
          <TextInput
            label="Attribute with a lasting id"
            description="Empty: the NameID."
            {...form.getInputProps('subjectAttribute')}
          />
          <TextInput
            label="Attribute with the email address"
            {...form.getInputProps('emailAttribute')}
          />
          <TextInput
            label="Attribute with the full name"
            {...form.getInputProps('nameAttribute')}
          />
          <TextInput label="Attribute with the groups" {...form.getInputProps('groupsAttribute')} />
        </Stack>
      </Fieldset>
      <Textarea
        label="Contexts that mean a second factor"
        description="Authentication context classes, one per line."
        rows={2}
        {...form.getInputProps('contexts')}
      />
      <Checkbox
        label="Accept sign-in that begins at the provider"
        description="Without it only answers to our own requests are accepted, which is safer."
        {...form.getInputProps('beginsThere', { type: 'checkbox' })}
      />
    </>
  );
}
