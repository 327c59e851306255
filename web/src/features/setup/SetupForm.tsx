import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { type FormErrors, useForm } from '@mantine/form';
import { useEffect } from 'react';
import type { SetupRequest } from '@/api/schema';

type Values = SetupRequest & { setup_code: string };

interface SetupFormProps {
  codeRequired: boolean;
  pending: boolean;
  /** Messages of the server by field. */
  refused: Record<string, string>;
  onSubmit: (request: SetupRequest) => void;
}

const EMPTY: Values = {
  setup_code: '',
  organisation_name: '',
  name: '',
  email: '',
  password: '',
  password_confirmation: '',
};

/** The same limits as the server's, so that most mistakes are seen before sending. */
function check(values: Values, codeRequired: boolean): FormErrors {
  const nameLength = (text: string) => text.trim().length >= 2 && text.trim().length <= 100;
  const errors: FormErrors = {};
  if (codeRequired && values.setup_code.trim() === '') {
    errors.setup_code = 'Enter the set-up code from the server log.';
  }
  if (!nameLength(values.organisation_name)) {
    errors.organisation_name = 'Use 2 to 100 characters.';
  }
  if (!nameLength(values.name)) {
    errors.name = 'Use 2 to 100 characters.';
  }
  if (!/^\S+@\S+$/.test(values.email.trim())) {
    errors.email = 'Enter an email address.';
  }
  if (values.password.length < 12 || values.password.length > 128) {
    errors.password = 'Use 12 to 128 characters.';
  }
  if (values.password_confirmation !== values.password) {
    errors.password_confirmation = 'The two passwords differ.';
  }
  return errors;
}

function requestOf(values: Values, codeRequired: boolean): SetupRequest {
  const { setup_code, ...account } = values;
  const request: SetupRequest = {
    ...account,
    organisation_name: values.organisation_name.trim(),
    name: values.name.trim(),
    email: values.email.trim(),
  };
  return codeRequired ? { ...request, setup_code: setup_code.trim() } : request;
}

export function SetupForm({ codeRequired, pending, refused, onSubmit }: SetupFormProps) {
  const form = useForm<Values>({
    initialValues: EMPTY,
    validate: (values) => check(values, codeRequired),
  });
  const { setErrors } = form;
  const refusal = JSON.stringify(refused);
  useEffect(() => {
    setErrors(JSON.parse(refusal) as Record<string, string>);
  }, [refusal, setErrors]);
  return (
    <form
      noValidate
      onSubmit={form.onSubmit((values) => onSubmit(requestOf(values, codeRequired)))}
    >
      <Stack gap="sm">
        {codeRequired && (
          <TextInput
            label="Set-up code"
            description="The server printed it to its log when it started."
            autoComplete="one-time-code"
            spellCheck={false}
            {...form.getInputProps('setup_code')}
          />
        )}
        <TextInput
          label="Organisation name"
          autoComplete="organization"
          {...form.getInputProps('organisation_name')}
        />
        <TextInput label="Full name" autoComplete="name" {...form.getInputProps('name')} />
        <TextInput
          label="Email"
          type="email"
          autoComplete="username"
          {...form.getInputProps('email')}
        />
        <PasswordInput
          label="Password"
          description="12 to 128 characters."
          autoComplete="new-password"
          {...form.getInputProps('password')}
        />
        <PasswordInput
          label="Password again"
          autoComplete="new-password"
          {...form.getInputProps('password_confirmation')}
        />
        <Button type="submit" loading={pending} mt="xs">
          Create organisation
        </Button>
      </Stack>
    </form>
  );
}
