import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { type FormErrors, useForm } from '@mantine/form';
import { isProblem } from '@/api/problem';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import type { RegisterRequest } from './api';

interface RegisterFormProps {
  pending: boolean;
  error: unknown;
  onSubmit: (request: RegisterRequest, onRefused: (error: unknown) => void) => void;
}

const EMPTY: RegisterRequest = { name: '', email: '', password: '', password_confirmation: '' };

/** The same limits as the server's, so that most mistakes are seen before sending. */
function check(values: RegisterRequest): FormErrors {
  const nameLength = values.name.trim().length;
  const passwordLength = [...values.password].length;
  const errors: FormErrors = {};
  if (nameLength < 2 || nameLength > 100) {
    errors.name = 'Use 2 to 100 characters.';
  }
  if (!/^\S+@\S+$/.test(values.email.trim())) {
    errors.email = 'Enter your email address.';
  }
  if (passwordLength < 12 || passwordLength > 128) {
    errors.password = 'Use 12 to 128 characters.';
  }
  if (values.password_confirmation !== values.password) {
    errors.password_confirmation = 'The two passwords differ.';
  }
  return errors;
}

export function RegisterForm({ pending, error, onSubmit }: RegisterFormProps) {
  const form = useForm<RegisterRequest>({ initialValues: EMPTY, validate: check });
  const atFields = isProblem(error) && error.fields.length > 0;
  const refuse = (refusal: unknown) =>
    isProblem(refusal) && form.setErrors(refusal.fieldMessages());
  const submit = (values: RegisterRequest) =>
    onSubmit({ ...values, name: values.name.trim(), email: values.email.trim() }, refuse);
  return (
    <form noValidate onSubmit={form.onSubmit(submit)}>
      <Stack gap="sm">
        {Boolean(error) && !atFields && <Banner tone="bad">{errorText(error)}</Banner>}
        <TextInput
          label="Full name"
          autoComplete="name"
          autoFocus
          {...form.getInputProps('name')}
        />
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
          Create account
        </Button>
      </Stack>
    </form>
  );
}
