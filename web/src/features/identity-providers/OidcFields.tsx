import { Checkbox, Fieldset, PasswordInput, Stack, Textarea, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import type { IdentityProvider } from '@/api/identityProviders';
import type { ProviderForm } from './form';

interface OidcFieldsProps {
  form: UseFormReturnType<ProviderForm>;
  /** The provider as it is stored; none while one is added. */
  stored: IdentityProvider | undefined;
}

/** What OpenID Connect needs. */
export function OidcFields({ form, stored }: OidcFieldsProps) {
  return (
    <>
      <TextInput
        label="Issuer"
        type="url"
        description={
          stored && 'People are known by it, so it is fixed. Add another provider instead.'
        }
        disabled={stored !== undefined}
        {...form.getInputProps('issuer')}
      />
      <TextInput label="Client id" autoComplete="off" {...form.getInputProps('clientId')} />
      <PasswordInput
        label="Client secret"
        description={
          stored ? 'Stored. Enter it only to change it.' : 'Kept sealed and never shown again.'
        }
        autoComplete="off"
        {...form.getInputProps('clientSecret')}
      />
      <Fieldset legend="What it says of people">
        <Stack gap="sm">
          <Textarea
            label="Scopes"
            description="Beside openid, one per line."
            rows={2}
            {...form.getInputProps('scopes')}
          />
          <TextInput label="Claim with the email address" {...form.getInputProps('emailClaim')} />
          <TextInput label="Claim with the full name" {...form.getInputProps('nameClaim')} />
          <TextInput
            label="Claim with the groups"
            description="Dots lead into objects, as in realm_access.roles."
            {...form.getInputProps('groupsClaim')}
          />
        </Stack>
      </Fieldset>
      <Fieldset legend="Connection">
        <Stack gap="sm">
          <Checkbox
            label="The secret goes into the body, not into the header"
            {...form.getInputProps('secretInBody', { type: 'checkbox' })}
          />
          <Textarea
            label="Certificate authority"
            description="PEM. Empty: the authorities of the system."
            rows={2}
            {...form.getInputProps('authority')}
          />
          <Checkbox
            label="It has no discovery document: enter its addresses"
            {...form.getInputProps('ownEndpoints', { type: 'checkbox' })}
          />
          {form.values.ownEndpoints && <Addresses form={form} />}
        </Stack>
      </Fieldset>
    </>
  );
}

function Addresses({ form }: { form: UseFormReturnType<ProviderForm> }) {
  return (
    <>
      <TextInput label="Sign-in address" type="url" {...form.getInputProps('authorization')} />
      <TextInput label="Token address" type="url" {...form.getInputProps('token')} />
      <TextInput label="Key set (JWKS)" type="url" {...form.getInputProps('jwks')} />
      <TextInput
        label="User info address"
        description="Optional."
        type="url"
        {...form.getInputProps('userinfo')}
      />
      <TextInput
        label="Sign-out address"
        description="Optional. With it people also sign out there."
        type="url"
        {...form.getInputProps('endSession')}
      />
    </>
  );
}
