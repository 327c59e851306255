import { Button, Divider, PasswordInput, Select, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '@/api/client';
import type { DirectoryChoice, LinkRequired } from '@/api/directory';
import type { OfferedMethod } from '@/api/identityProviders';
import { isProblem } from '@/api/problem';
import type { SignInAnswer } from '@/api/schema';
import { methodsQuery } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';

function directoriesOf(methods: readonly OfferedMethod[]): DirectoryChoice[] {
  return methods.flatMap(({ kind, id, name }) =>
    kind === 'ldap' && id ? [{ id, name: name ?? 'Directory' }] : [],
  );
}

/** Sign-in with the account of a directory, where there is one. */
export function DirectorySignIn({ onAnswer }: { onAnswer: (answer: SignInAnswer) => void }) {
  const methods = useQuery(methodsQuery).data?.methods ?? [];
  const directories = directoriesOf(methods);
  const [open, setOpen] = useState(false);
  if (directories.length === 0) {
    return null;
  }
  const [only] = directories;
  const label = directories.length === 1 && only ? only.name : 'a directory';
  return (
    <Stack gap="sm">
      <Divider />
      {open ? (
        <DirectoryForm directories={directories} onAnswer={onAnswer} />
      ) : (
        <Button variant="default" onClick={() => setOpen(true)}>
          Sign in with {label}
        </Button>
      )}
    </Stack>
  );
}

interface DirectoryFormProps {
  directories: readonly DirectoryChoice[];
  onAnswer: (answer: SignInAnswer) => void;
}

function DirectoryForm({ directories, onAnswer }: DirectoryFormProps) {
  const form = useForm({
    initialValues: { directory_id: directories[0]?.id ?? '', username: '', password: '' },
    validate: {
      username: (value) => (value.trim() === '' ? 'Enter your username.' : null),
      password: (value) => (value === '' ? 'Enter your password.' : null),
    },
  });
  const signIn = useMutation({
    mutationFn: (values: typeof form.values) =>
      api.post<SignInAnswer | LinkRequired>('/auth/ldap/login', values),
    onSuccess: (answer) => {
      if (answer.status !== 'confirm_link') {
        onAnswer(answer);
      }
    },
    onError: () => form.setFieldValue('password', ''),
    gcTime: 0,
  });
  const toLink = signIn.data?.status === 'confirm_link' ? signIn.data.token : undefined;
  return (
    <form noValidate onSubmit={form.onSubmit((values) => signIn.mutate(values))}>
      <Stack gap="sm">
        {signIn.isError && <Banner tone="bad">{directoryText(signIn.error)}</Banner>}
        {toLink && (
          <Banner tone="info" action={<a href={`/link-account#${toLink}`}>Link them</a>}>
            An account with your email address exists already. Sign in to it with its own password
            first, and link the directory there.
          </Banner>
        )}
        {directories.length > 1 && (
          <Select
            label="Directory"
            data={directories.map((one) => ({ value: one.id, label: one.name }))}
            allowDeselect={false}
            {...form.getInputProps('directory_id')}
          />
        )}
        <TextInput
          label="Username"
          autoComplete="username"
          maxLength={128}
          autoFocus
          {...form.getInputProps('username')}
        />
        <PasswordInput
          label="Directory password"
          autoComplete="current-password"
          {...form.getInputProps('password')}
        />
        <Button type="submit" loading={signIn.isPending}>
          Sign in with the directory
        </Button>
      </Stack>
    </form>
  );
}

function directoryText(error: unknown): string {
  if (isProblem(error, 'invalid_credentials')) {
    return 'The username or the password is wrong.';
  }
  if (isProblem(error, 'directory_unavailable')) {
    return 'The directory does not answer. Accounts with an email address and a password still work.';
  }
  return errorText(error);
}
