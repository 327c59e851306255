import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Organisation, Permission } from '@/api/schema';
import { ago, aMe, ORG_ADMIN, READ_ONLY } from '@/testing/fixtures';
import { type Answers, Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

const SUPER: Permission[] = [...ORG_ADMIN, 'organisation.write', 'organisations.manage'];

function anOrganisation(more: Partial<Organisation> = {}): Organisation {
  return {
    id: 'o1',
    name: 'Northwind',
    slug: 'northwind',
    time_zone: 'UTC',
    has_logo: false,
    created_at: ago(100),
    deleted_at: null,
    roles: ['super_admin'],
    pending: false,
    current: true,
    ...more,
  };
}

const OTHER = anOrganisation({ id: 'o2', name: 'Contoso', slug: 'contoso', current: false });

function open(answers: Answers = {}) {
  return renderApp('/settings/organisations', {
    'GET /me': aMe(SUPER),
    'GET /organisations': { items: [anOrganisation()] },
    'GET /organisations/{id}': anOrganisation(),
    ...answers,
  });
}

describe('organisation', () => {
  it('Spec: users-teams-rbac 3: name_and_address_name_are_changed', async () => {
    const { api, user } = open({ 'PATCH /organisations/{id}': anOrganisation() });
    const slug = await screen.findByLabelText('Address name');
    await user.clear(slug);
    await user.type(slug, 'north');
    await user.click(screen.getByRole('button', { name: 'Save' }));
    expect(await screen.findByText('Saved.')).toBeVisible();
    expect(api.to('PATCH /organisations/{id}')[0]?.body).toEqual({
      name: 'Northwind',
      slug: 'north',
      time_zone: 'UTC',
    });
  });

  it('a_refused_field_is_shown_at_the_field', async () => {
    const { user } = open({
      'PATCH /organisations/{id}': new Refusal(409, 'already_exists', {
        fields: [{ path: 'slug', code: 'already_exists', message: 'is taken' }],
      }),
    });
    await user.click(await screen.findByRole('button', { name: 'Save' }));
    expect(await screen.findByText('Is taken.')).toBeVisible();
  });

  it('Spec: users-teams-rbac 3: deleting_needs_the_typed_name', async () => {
    const { api, user } = open({ 'DELETE /organisations/{id}': undefined });
    const button = await screen.findByRole('button', { name: 'Delete organisation' });
    const field = screen.getByLabelText('Type "Northwind" to confirm');
    await user.type(field, 'northwind');
    expect(button).toBeDisabled();
    await user.clear(field);
    await user.type(field, 'Northwind');
    await user.click(button);
    await waitFor(() =>
      expect(api.to('DELETE /organisations/{id}')[0]?.query.get('name')).toBe('Northwind'),
    );
  });

  it('organisation_admins_neither_make_nor_delete', async () => {
    open({ 'GET /me': aMe([...ORG_ADMIN, 'organisation.write']) });
    expect(await screen.findByLabelText('Address name')).toBeVisible();
    expect(screen.queryByRole('button', { name: 'Delete organisation' })).toBeNull();
    expect(screen.queryByRole('button', { name: 'Create organisation' })).toBeNull();
  });

  it('without_the_permission_nothing_is_shown', async () => {
    open({ 'GET /me': aMe(READ_ONLY) });
    expect(await screen.findByText(/Only administrators may change/)).toBeVisible();
  });
});

describe('deleted organisations', () => {
  const gone = { ...OTHER, deleted_at: ago(7_300) };

  function withDeleted(answers: Answers = {}) {
    return open({
      'GET /organisations': (call) => ({
        items: call.query.get('deleted') === 'true' ? [gone] : [anOrganisation()],
      }),
      ...answers,
    });
  }

  it('Spec: users-teams-rbac 3: a_deleted_organisation_is_restored', async () => {
    const { api, user } = withDeleted({ 'POST /organisations/{id}/restore': OTHER });
    const button = await screen.findByRole('button', { name: 'Restore Contoso' });
    expect(button.parentElement).toHaveTextContent('Contoso, deleted 2 h ago');
    api.answer({ 'GET /organisations': { items: [] } });
    await user.click(button);
    expect(await screen.findByText(/Choose it in the navigation/)).toBeVisible();
    expect(api.to('POST /organisations/{id}/restore')[0]?.path).toBe('/organisations/o2/restore');
  });

  it('Spec: users-teams-rbac 3: after_the_30_days_it_is_said_to_be_gone', async () => {
    const { user } = withDeleted({
      'POST /organisations/{id}/restore': new Refusal(404, 'not_found', {
        detail: 'organisation not found',
      }),
    });
    await user.click(await screen.findByRole('button', { name: 'Restore Contoso' }));
    expect(await screen.findByText('Organisation not found.')).toBeVisible();
  });

  it('who_does_not_manage_organisations_is_not_asked', async () => {
    const { api } = withDeleted({ 'GET /me': aMe([...ORG_ADMIN, 'organisation.write']) });
    expect(await screen.findByLabelText('Address name')).toBeVisible();
    const asked = api.to('GET /organisations').filter((call) => call.query.has('deleted'));
    expect(asked).toHaveLength(0);
    expect(screen.queryByText('Deleted organisations')).toBeNull();
  });
});

describe('switch', () => {
  it('Spec: users-teams-rbac 2: people_of_several_organisations_go_from_one_to_another', async () => {
    const { api, user } = open({
      'GET /organisations': { items: [anOrganisation(), OTHER] },
      'POST /me/organisation': undefined,
    });
    const choice = await screen.findByRole('combobox', { name: 'Organisation' });
    await user.selectOptions(choice, 'o2');
    await waitFor(() =>
      expect(api.to('POST /me/organisation')[0]?.body).toEqual({ organisation_id: 'o2' }),
    );
    await waitFor(() => expect(api.to('GET /me').length).toBeGreaterThan(1));
  });

  it('people_of_one_organisation_see_its_name_only', async () => {
    open();
    await screen.findByLabelText('Address name');
    expect(screen.queryByRole('combobox', { name: 'Organisation' })).toBeNull();
  });
});
