import { screen, waitFor, within } from '@testing-library/react';
import { Server } from 'lucide-react';
import { describe, expect, it } from 'vitest';
import { aMe, READ_ONLY } from '@/testing/fixtures';
import { renderApp } from '@/testing/renderApp';
import { ACCOUNT, areaOf, grouped, SETTINGS } from './areas';
import { features } from './features';
import type { NavEntry } from './registry';

function entry(to: string): NavEntry {
  return { label: to, to, icon: Server, section: 'administration' };
}

/** The links of an area's navigation, group by group. */
async function pagesOf(name: string): Promise<string[][]> {
  const nav = await screen.findByRole('navigation', { name });
  return within(nav)
    .getAllByRole('list')
    .map((list) =>
      within(list)
        .getAllByRole('link')
        .map((link) => link.textContent ?? ''),
    );
}

describe('grouping', () => {
  it('a_path_belongs_to_an_area_when_it_is_its_root_or_lies_below', () => {
    expect(areaOf('/settings')).toBe(SETTINGS);
    expect(areaOf('/settings/people')).toBe(SETTINGS);
    expect(areaOf('/account/sessions')).toBe(ACCOUNT);
    expect(areaOf('/settingsx')).toBeUndefined();
    expect(areaOf('/hosts')).toBeUndefined();
  });

  it('pages_stand_in_the_order_of_their_group_whatever_order_they_came_in', () => {
    const groups = grouped(SETTINGS, [entry('/settings/teams'), entry('/settings/people')]);
    expect(groups.map(({ title }) => title)).toEqual(['People and access']);
    expect(groups[0]?.entries.map(({ to }) => to)).toEqual(['/settings/people', '/settings/teams']);
  });

  it('a_page_that_no_group_names_is_still_there', () => {
    const groups = grouped(SETTINGS, [entry('/settings/new-thing'), entry('/settings/system')]);
    expect(groups.at(-1)?.entries.map(({ to }) => to)).toEqual([
      '/settings/system',
      '/settings/new-thing',
    ]);
  });

  it('every_entry_of_every_feature_is_reachable_from_exactly_one_navigation', () => {
    const entries: NavEntry[] = features.flatMap((feature) => [...feature.navigation]);
    const inAreas = [SETTINGS, ACCOUNT].flatMap((area) =>
      grouped(
        area,
        entries.filter(({ to }) => areaOf(to) === area),
      ).flatMap((group) => group.entries),
    );
    const inMain = entries.filter(({ to }) => !areaOf(to));
    const reachable = [...inAreas, ...inMain].map(({ to }) => to);
    expect(reachable.toSorted()).toEqual(entries.map(({ to }) => to).toSorted());
    expect(new Set(reachable).size).toBe(reachable.length);
  });
});

describe('navigation of an area', () => {
  it('the_account_shows_its_pages_and_marks_the_open_one', async () => {
    renderApp('/account/sessions', { 'GET /me/sessions': { items: [] } });
    const [pages] = await pagesOf('Account');
    expect(pages).toEqual(expect.arrayContaining(['Security', 'Password', 'Sessions', 'Sign-ins']));
    const nav = screen.getByRole('navigation', { name: 'Account' });
    expect(within(nav).getByRole('link', { current: 'page' })).toHaveTextContent('Sessions');
    const main = screen.getByRole('navigation', { name: 'Main' });
    expect(within(main).getByRole('link', { name: 'Account' })).toHaveAttribute('data-active');
    expect(within(main).getByRole('link', { name: 'Hosts' })).not.toHaveAttribute('data-active');
  });

  it('settings_begin_with_the_first_page_a_person_may_open', async () => {
    const { user, address } = renderApp('/hosts', {
      'GET /me': aMe([...READ_ONLY, 'users.read']),
      'GET /users': { items: [], page: 1, page_size: 50, total: 0 },
    });
    await user.click(await screen.findByRole('link', { name: 'Settings' }));
    await waitFor(() => expect(address()).toBe('/settings/people'));
    expect(await pagesOf('Settings')).toEqual([['People']]);
  });

  it('pages_outside_of_an_area_have_no_second_navigation', async () => {
    renderApp('/hosts');
    await screen.findByRole('link', { name: 'web-01' });
    expect(screen.queryByRole('navigation', { name: 'Settings' })).toBeNull();
    expect(screen.queryByRole('navigation', { name: 'Account' })).toBeNull();
  });
});
