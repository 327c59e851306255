import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { ago, aMe, aToken, CREATED, ORG_ADMIN, pageOf, READ_ONLY } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp, tableRows } from '@/testing/renderApp';

function open(answers: Answers = {}) {
  return renderApp('/enrolment', {
    'GET /enrolment-tokens': pageOf([aToken()]),
    'GET /settings/enrolment': { reenrolment_policy: 'adopt' },
    'POST /enrolment-tokens': CREATED,
    ...answers,
  });
}

async function openDialog(answers: Answers = {}) {
  const running = open(answers);
  await running.user.click(await screen.findByRole('button', { name: 'Create token' }));
  const dialog = within(await screen.findByRole('dialog'));
  const submit = () => running.user.click(dialog.getByRole('button', { name: 'Create token' }));
  return { ...running, dialog, submit };
}

describe('list', () => {
  it('Spec: agents-enrolment 3, 4: shows_every_state_and_only_the_hint_of_the_secret', async () => {
    open({
      'GET /enrolment-tokens': pageOf([
        aToken({ id: 't1', max_uses: 25, usage_count: 7 }),
        aToken({ id: 't2', label: 'Farm', max_uses: null, expires_at: null, usage_count: 3 }),
        aToken({ id: 't3', label: 'Used', status: 'exhausted', usage_count: 1 }),
        aToken({ id: 't4', label: 'Gone', status: 'revoked' }),
        aToken({ id: 't5', label: 'Old', status: 'expired', expires_at: ago(7_300) }),
      ]),
    });
    const rows = await tableRows('Enrolment tokens');
    expect(
      rows.map(([label, hint, status, uses, expires]) => [label, hint, status, uses, expires]),
    ).toEqual([
      ['Rack 4', 'tok_AbCd…wXyZ', 'Active', '7 of 25', 'in 7 d'],
      ['Farm', 'tok_AbCd…wXyZ', 'Active', '3, unlimited', 'never'],
      ['Used', 'tok_AbCd…wXyZ', 'Exhausted', '1 of 1', 'in 7 d'],
      ['Gone', 'tok_AbCd…wXyZ', 'Revoked', '0 of 1', 'in 7 d'],
      ['Old', 'tok_AbCd…wXyZ', 'Expired', '0 of 1', '2 h ago'],
    ]);
    const revocable = screen.getAllByRole('button', { name: /^Revoke/ });
    expect(revocable.map((button) => button.getAttribute('aria-label'))).toEqual([
      'Revoke Rack 4',
      'Revoke Farm',
    ]);
  });

  it('Spec: agents-enrolment 1: an_insecure_token_is_marked', async () => {
    open({ 'GET /enrolment-tokens': pageOf([aToken({ skip_verify: true })]) });
    expect(await screen.findByText('Insecure: no TLS check')).toBeVisible();
  });

  it('Spec: agents-enrolment 6: revoke_asks_first', async () => {
    const { api, user } = open({ 'POST /enrolment-tokens/{id}/revoke': aToken() });
    await user.click(await screen.findByRole('button', { name: 'Revoke Rack 4' }));
    expect(api.to('POST /enrolment-tokens/{id}/revoke')).toHaveLength(0);
    const dialog = await screen.findByRole('dialog');
    expect(dialog).toHaveTextContent('Agents that used it are untouched');
    await user.click(within(dialog).getByRole('button', { name: 'Revoke token' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(api.to('POST /enrolment-tokens/{id}/revoke')[0]?.path).toBe(
      '/enrolment-tokens/t1/revoke',
    );
  });

  it('the_status_filter_is_in_the_address_bar', async () => {
    const { api, user, address } = open();
    await user.selectOptions(await screen.findByRole('combobox', { name: 'Status' }), 'revoked');
    await waitFor(() => expect(address()).toBe('/enrolment?status=revoked'));
    await waitFor(() =>
      expect(api.to('GET /enrolment-tokens').at(-1)?.query.get('status')).toBe('revoked'),
    );
  });

  it('without_tokens_the_way_on_is_shown', async () => {
    open({ 'GET /enrolment-tokens': pageOf([]) });
    expect(await screen.findByText('No tokens yet')).toBeVisible();
  });

  it('without_the_permission_nothing_is_asked_for', async () => {
    const { api } = open({ 'GET /me': aMe(READ_ONLY) });
    expect(await screen.findByText(/Only administrators may see/)).toBeVisible();
    expect(api.to('GET /enrolment-tokens')).toHaveLength(0);
    expect(api.to('GET /settings/enrolment')).toHaveLength(0);
    expect(screen.queryByRole('button', { name: 'Create token' })).toBeNull();
    expect(screen.queryByRole('link', { name: 'Enrolment' })).toBeNull();
  });
});

describe('creation', () => {
  it('Spec: agents-enrolment 2: the_defaults_are_one_use_seven_days_approval_and_tls', async () => {
    const { api, user, dialog, submit } = await openDialog();
    await user.type(dialog.getByLabelText('Label'), ' Rack 4 ');
    await submit();
    await screen.findByText('Token created');
    expect(api.to('POST /enrolment-tokens')[0]?.body).toEqual({
      label: 'Rack 4',
      auto_approve: false,
      skip_verify: false,
      max_uses: 1,
      expires_in_days: 7,
      tags: [],
    });
  });

  it('Spec: agents-enrolment 2: limitless_choices_are_explicit_and_warn', async () => {
    const { api, user, dialog, submit } = await openDialog();
    await user.type(dialog.getByLabelText('Label'), 'Farm');
    await user.click(dialog.getByLabelText('Unlimited uses'));
    await user.click(dialog.getByLabelText('Never expires'));
    expect(dialog.getByText(/any number of machines/)).toBeVisible();
    expect(dialog.getByText(/until somebody revokes it/)).toBeVisible();
    await submit();
    await screen.findByText('Token created');
    expect(api.to('POST /enrolment-tokens')[0]?.body).toMatchObject({
      max_uses: null,
      expires_in_days: null,
    });
  });

  it('Spec: agents-enrolment 2: an_emptied_limit_is_refused_and_never_means_unlimited', async () => {
    const { api, user, dialog, submit } = await openDialog();
    await user.type(dialog.getByLabelText('Label'), 'Farm');
    await user.clear(dialog.getByLabelText('Maximum uses'));
    await user.clear(dialog.getByLabelText('Expires after (days)'));
    await submit();
    expect(await dialog.findByText('Use a whole number from 1.')).toBeVisible();
    expect(dialog.getByText('Use 1 to 365 days.')).toBeVisible();
    expect(api.to('POST /enrolment-tokens')).toHaveLength(0);
  });

  it('Spec: agents-enrolment 1: skipping_tls_verification_is_marked_insecure', async () => {
    const { user, dialog } = await openDialog();
    await user.click(dialog.getByLabelText(/Skip TLS verification \(insecure\)/));
    expect(dialog.getByText(/^Insecure:/)).toBeVisible();
  });

  it('Spec: agents-enrolment 3: the_secret_is_shown_once', async () => {
    const { user, dialog, submit } = await openDialog();
    await user.type(dialog.getByLabelText('Label'), 'Rack 4');
    await submit();
    expect(await screen.findByText(CREATED.secret)).toBeVisible();
    expect(screen.getByText(CREATED.install_command)).toBeVisible();
    expect(screen.getByText(/The secret is shown once/)).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Copy install command' }));
    expect(await navigator.clipboard.readText()).toBe(CREATED.install_command);
    await user.click(screen.getByRole('button', { name: 'Done' }));
    await user.click(screen.getByRole('button', { name: 'Create token' }));
    expect(await screen.findByLabelText('Label')).toHaveValue('');
    expect(screen.queryByText(CREATED.secret)).toBeNull();
  });

  it('Spec: agents-enrolment 7: auto_approval_is_offered_to_super_admins_only', async () => {
    const { dialog } = await openDialog({ 'GET /me': aMe(ORG_ADMIN) });
    expect(dialog.queryByLabelText('Approve agents automatically')).toBeNull();
  });

  it('Spec: agents-enrolment 7: a_super_admin_can_ask_for_auto_approval', async () => {
    const { api, user, dialog, submit } = await openDialog();
    await user.type(dialog.getByLabelText('Label'), 'Farm');
    await user.click(dialog.getByLabelText('Approve agents automatically'));
    await submit();
    await screen.findByText('Token created');
    expect(api.to('POST /enrolment-tokens')[0]?.body).toMatchObject({ auto_approve: true });
  });

  it('tags_are_lines_of_key_and_value', async () => {
    const { api, user, dialog, submit } = await openDialog();
    await user.type(dialog.getByLabelText('Label'), 'Rack 4');
    await user.type(dialog.getByLabelText('Tags'), 'site=fra1\nnonsense');
    await submit();
    expect(await dialog.findByText('"nonsense" is not key=value.')).toBeVisible();
    await user.clear(dialog.getByLabelText('Tags'));
    await user.type(dialog.getByLabelText('Tags'), 'site=fra1\nnote = a=b');
    await submit();
    await screen.findByText('Token created');
    expect(api.to('POST /enrolment-tokens')[0]?.body).toMatchObject({
      tags: [
        { key: 'site', value: 'fra1' },
        { key: 'note', value: 'a=b' },
      ],
    });
  });

  it('refused_fields_are_shown_at_the_fields', async () => {
    const { user, dialog, submit } = await openDialog({
      'POST /enrolment-tokens': new Refusal(422, 'validation_failed', {
        fields: [{ path: 'tags.0.key', code: 'too_long', message: 'key has 101 characters' }],
      }),
    });
    await user.type(dialog.getByLabelText('Label'), 'Rack 4');
    await submit();
    expect(await dialog.findByText('Key has 101 characters.')).toBeVisible();
  });
});

describe('re-enrolment policy', () => {
  it('Spec: hosts 24: shows_and_saves_the_policy', async () => {
    const { api, user } = open({
      'PATCH /settings/enrolment': { reenrolment_policy: 'refuse' },
    });
    const choice = await screen.findByRole('combobox', { name: 'Re-enrolment policy' });
    expect(choice).toHaveValue('adopt');
    await user.selectOptions(choice, 'refuse');
    await waitFor(() => expect(choice).toHaveValue('refuse'));
    expect(api.to('PATCH /settings/enrolment')[0]?.body).toEqual({ reenrolment_policy: 'refuse' });
  });

  it('Spec: hosts 24: cannot_be_changed_without_the_permission', async () => {
    const permissions = ORG_ADMIN.filter((permission) => permission !== 'settings.write');
    open({ 'GET /me': aMe(permissions) });
    expect(await screen.findByRole('combobox', { name: 'Re-enrolment policy' })).toBeDisabled();
  });
});
