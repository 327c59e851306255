import { Button, Checkbox, Group, Stack, Textarea, TextInput } from '@mantine/core';
import { type UseFormReturnType, useForm } from '@mantine/form';
import { useEffect } from 'react';
import { isProblem } from '@/api/problem';
import type { CreateTokenRequest } from '@/api/schema';
import { useCan } from '@/api/session';
import { Banner } from '@/ui/Banner';
import { errorText } from '@/ui/Notice';
import classes from './TokenForm.module.css';
import {
  checkToken,
  formMessages,
  TOKEN_DEFAULTS,
  type TokenValues,
  tokenRequest,
} from './tokenRequest';

interface TokenFormProps {
  pending: boolean;
  error: unknown;
  onSubmit: (request: CreateTokenRequest) => void;
  onCancel: () => void;
}

type Form = UseFormReturnType<TokenValues>;

export function TokenForm({ pending, error, onSubmit, onCancel }: TokenFormProps) {
  const form = useForm<TokenValues>({ initialValues: TOKEN_DEFAULTS, validate: checkToken });
  const { setErrors } = form;
  useEffect(() => {
    if (isProblem(error)) {
      setErrors(formMessages(error.fieldMessages()));
    }
  }, [error, setErrors]);
  const named = isProblem(error) && Object.keys(formMessages(error.fieldMessages())).length > 0;
  return (
    <form noValidate onSubmit={form.onSubmit((values) => onSubmit(tokenRequest(values)))}>
      <Stack gap="md">
        {Boolean(error) && !named && <Banner tone="bad">{errorText(error)}</Banner>}
        <TextInput
          label="Label"
          description="Where or for what the token is used."
          data-autofocus
          {...form.getInputProps('label')}
        />
        <LimitFields form={form} />
        <Textarea
          label="Tags"
          description="One key=value per line; every agent enrolled with this token gets them."
          rows={2}
          resize="vertical"
          {...form.getInputProps('tags')}
        />
        <RiskFields form={form} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
          <Button type="submit" loading={pending}>
            Create token
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** How often and how long; the limitless choices are explicit and say what they mean. */
function LimitFields({ form }: { form: Form }) {
  const { unlimited, never } = form.values;
  return (
    <>
      <div className={classes.pair}>
        <div className={classes.choice}>
          <TextInput
            label="Maximum uses"
            inputMode="numeric"
            disabled={unlimited}
            {...form.getInputProps('maxUses')}
          />
          <Checkbox
            label="Unlimited uses"
            {...form.getInputProps('unlimited', { type: 'checkbox' })}
          />
        </div>
        <div className={classes.choice}>
          <TextInput
            label="Expires after (days)"
            inputMode="numeric"
            disabled={never}
            {...form.getInputProps('expiryDays')}
          />
          <Checkbox label="Never expires" {...form.getInputProps('never', { type: 'checkbox' })} />
        </div>
      </div>
      {unlimited && (
        <Banner>Whoever learns the secret can register any number of machines with it.</Banner>
      )}
      {never && <Banner>The token works until somebody revokes it.</Banner>}
    </>
  );
}

function RiskFields({ form }: { form: Form }) {
  const mayAutoApprove = useCan('enrolment.auto_approve');
  return (
    <Stack gap="sm">
      {mayAutoApprove && (
        <Checkbox
          label="Approve agents automatically"
          description="Machines that register with this token report at once, without a person looking."
          {...form.getInputProps('autoApprove', { type: 'checkbox' })}
        />
      )}
      <Checkbox
        label="Skip TLS verification (insecure)"
        description="The agent does not check that it talks to this server. For trials only."
        {...form.getInputProps('skipVerify', { type: 'checkbox' })}
      />
      {form.values.skipVerify && (
        <Banner tone="bad">
          Insecure: anybody between the machine and this server can take over the enrolment.
        </Banner>
      )}
    </Stack>
  );
}
