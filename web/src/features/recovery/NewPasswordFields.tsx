import { PasswordInput, type PasswordInputProps } from '@mantine/core';

interface NewPasswordFieldsProps {
  password: PasswordInputProps;
  confirmation: PasswordInputProps;
}

/** A new password and the same once more. */
export function NewPasswordFields({ password, confirmation }: NewPasswordFieldsProps) {
  return (
    <>
      <PasswordInput
        label="New password"
        description="12 to 128 characters."
        autoComplete="new-password"
        {...password}
      />
      <PasswordInput label="New password again" autoComplete="new-password" {...confirmation} />
    </>
  );
}
