import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { type FormEvent, useState } from 'react';
import { isProblem } from '@/api/problem';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';

interface AcceptFormProps {
  email: string;
  pending: boolean;
  error: unknown;
  onSubmit: (account: { name: string; password: string; password_confirmation: string }) => void;
}

/** Name and password of a new account; its address and rights stand in the invitation. */
export function AcceptForm({ email, pending, error, onSubmit }: AcceptFormProps) {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [checked, setChecked] = useState(false);
  const refused = isProblem(error) ? error.fieldMessages() : {};
  const length = name.trim().length;
  const mistakes = {
    name: length < 2 || length > 100 ? 'Use 2 to 100 characters.' : undefined,
    password:
      password.length < 12 || password.length > 128 ? 'Use 12 to 128 characters.' : undefined,
    again: again === password ? undefined : 'The two passwords differ.',
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (!mistakes.name && !mistakes.password && !mistakes.again) {
      onSubmit({ name: name.trim(), password, password_confirmation: again });
    }
  };
  return (
    <form noValidate onSubmit={submit}>
      <Stack gap="sm">
        {Boolean(error) && Object.keys(refused).length === 0 && (
          <Banner tone="bad">{errorText(error)}</Banner>
        )}
        <TextInput label="Email" autoComplete="username" readOnly value={email} />
        <TextInput
          label="Full name"
          autoComplete="name"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={(checked && mistakes.name) || refused.name}
        />
        <PasswordInput
          label="Password"
          description="12 to 128 characters."
          autoComplete="new-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          error={(checked && mistakes.password) || refused.password}
        />
        <PasswordInput
          label="Password again"
          autoComplete="new-password"
          value={again}
          onChange={(event) => setAgain(event.currentTarget.value)}
          error={(checked && mistakes.again) || refused.password_confirmation}
        />
        <Button type="submit" loading={pending} mt="xs">
          Join
        </Button>
      </Stack>
    </form>
  );
}
