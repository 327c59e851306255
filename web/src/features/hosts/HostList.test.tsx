import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { ago, aHost, aSummary, facets, pageOf } from '@/testing/fixtures';
import { renderApp, tableRows } from '@/testing/renderApp';
import { changed, differs, parseHostSearch } from './search';

const MANY = { total: 260, page_size: 50 };

describe('rows', () => {
  it('Spec: hosts 11: a_row_shows_name_system_addresses_percentages_last_seen_and_status', async () => {
    renderApp('/hosts', {
      'GET /hosts': pageOf([
        aHost({
          display_name: 'Shop',
          ip_addresses: ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4'],
          cpu_percent: 5,
          last_seen_at: ago(200),
          disk_percent: null,
        }),
      ]),
    });
    expect(await tableRows('Hosts')).toEqual([
      [
        'Shop',
        'Debian GNU/Linux 12 (bookworm)amd64',
        '192.0.2.1192.0.2.2+2',
        '5.0%',
        '45.6%',
        '–',
        '3 min ago',
        'Online',
      ],
    ]);
    expect(screen.getByRole('link', { name: 'Shop' })).toHaveAttribute('href', '/hosts/h1');
  });

  it('Spec: hosts 11: the_other_addresses_appear_on_focus', async () => {
    renderApp('/hosts', {
      'GET /hosts': pageOf([aHost({ ip_addresses: ['192.0.2.1', '192.0.2.2', '192.0.2.3'] })]),
    });
    const more = await screen.findByRole('button', { name: '1 more addresses' });
    more.focus();
    expect(await screen.findByRole('tooltip')).toHaveTextContent('192.0.2.3');
  });

  it('Spec: hosts 11: percentages_change_colour_at_60_and_80', async () => {
    renderApp('/hosts', {
      'GET /hosts': pageOf([aHost({ cpu_percent: 59.9, memory_percent: 60, disk_percent: 80 })]),
    });
    const tone = async (text: string) =>
      (await screen.findByText(text)).closest('[data-tone]')?.getAttribute('data-tone');
    expect(await tone('59.9%')).toBe('ok');
    expect(await tone('60.0%')).toBe('warn');
    expect(await tone('80.0%')).toBe('bad');
  });
});

describe('paging', () => {
  it('Spec: hosts 12, 17: the_page_size_is_asked_for_and_stands_in_the_address_bar', async () => {
    const { api, user, address } = renderApp('/hosts?page=2', {
      'GET /hosts': pageOf([aHost()], MANY),
    });
    const size = await screen.findByRole('combobox', { name: 'Rows per page' });
    expect(size).toHaveValue('50');
    await user.selectOptions(size, '200');
    await waitFor(() => expect(address()).toBe('/hosts?page_size=200'));
    await waitFor(() => expect(api.to('GET /hosts').at(-1)?.query.get('page_size')).toBe('200'));
  });

  it('Spec: hosts 18: the_pager_turns_pages_and_says_where_it_is', async () => {
    const { api, user, address } = renderApp('/hosts', {
      'GET /hosts': pageOf([aHost()], MANY),
    });
    expect(await screen.findByText('1–50 of 260')).toBeVisible();
    expect(screen.getByRole('button', { name: 'Previous page' })).toBeDisabled();
    await user.click(screen.getByRole('button', { name: 'Next page' }));
    expect(await screen.findByText('51–100 of 260')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Last page' }));
    expect(await screen.findByText('251–260 of 260')).toBeVisible();
    expect(address()).toBe('/hosts?page=6');
    expect(screen.getByRole('button', { name: 'Next page' })).toBeDisabled();
    await user.click(screen.getByRole('button', { name: 'First page' }));
    await waitFor(() => expect(address()).toBe('/hosts'));
    await waitFor(() => expect(api.to('GET /hosts').length).toBeGreaterThanOrEqual(3));
  });

  it('a_page_beyond_the_end_leads_back', async () => {
    renderApp('/hosts?page=9', { 'GET /hosts': pageOf([], { page: 9, total: 60 }) });
    expect(await screen.findByText('This page is beyond the end')).toBeVisible();
    expect(screen.getByRole('button', { name: 'First page' })).toBeEnabled();
  });
});

describe('search and filters', () => {
  it('Spec: hosts 13: typing_is_debounced_and_trimmed', async () => {
    const { api, user, address } = renderApp('/hosts');
    await user.type(await screen.findByRole('searchbox', { name: 'Search hosts' }), '  web-1  ');
    await waitFor(() => expect(address()).toBe('/hosts?search=web-1'));
    await waitFor(() => expect(api.to('GET /hosts')).toHaveLength(2));
    expect(api.to('GET /hosts')[1]?.query.get('search')).toBe('web-1');
  });

  it('Spec: hosts 14, 16: status_and_os_filter_and_return_to_page_1', async () => {
    const { api, user, address } = renderApp('/hosts?page=4', {
      'GET /hosts/facets': facets([{ value: 'windows', count: 2, percent: 20 }]),
    });
    const status = await screen.findByRole('combobox', { name: 'Status' });
    await user.selectOptions(status, 'offline');
    await waitFor(() => expect(address()).toBe('/hosts?status=offline'));
    await user.selectOptions(screen.getByRole('combobox', { name: 'Operating system' }), 'windows');
    await waitFor(() => expect(address()).toBe('/hosts?status=offline&os=windows'));
    await waitFor(() => expect(api.to('GET /hosts').at(-1)?.query.get('os')).toBe('windows'));
  });

  it('Spec: hosts 16: clear_filters_appears_with_a_difference_and_restores_the_default', async () => {
    const { user, address } = renderApp('/hosts');
    const search = await screen.findByRole('searchbox', { name: 'Search hosts' });
    expect(screen.queryByRole('button', { name: 'Clear filters' })).toBeNull();
    await user.type(search, 'web');
    await user.click(await screen.findByRole('button', { name: 'Clear filters' }));
    await waitFor(() => expect(address()).toBe('/hosts'));
    expect(search).toHaveValue('');
  });

  it('Spec: hosts 16: every_difference_alone_counts', () => {
    for (const part of [
      'search=a',
      'status=online',
      'os=x',
      'sort=-cpu',
      'page=2',
      'page_size=25',
    ]) {
      expect(differs(parseHostSearch(Object.fromEntries(new URLSearchParams(part))))).toBe(true);
    }
    expect(differs(parseHostSearch({ sort: 'hostname', page: '1', page_size: '50' }))).toBe(false);
  });

  it('Spec: hosts 16: a_change_returns_to_page_1_and_turning_the_page_does_not', () => {
    const search = parseHostSearch({ page: '3', status: 'online' });
    expect(changed(search, { sort: '-cpu' }).page).toBeUndefined();
    expect(changed(search, { page: 4 })).toMatchObject({ page: 4, status: 'online' });
  });

  it('stale_and_hot_filters_are_shown_and_can_be_removed', async () => {
    const { user, address } = renderApp('/hosts?stale=true&hot=cpu');
    await user.click(await screen.findByRole('button', { name: /CPU at 80% or more/ }));
    await waitFor(() => expect(address()).toBe('/hosts?stale=true'));
    await user.click(screen.getByRole('button', { name: /^Stale: remove filter/ }));
    await waitFor(() => expect(address()).toBe('/hosts'));
  });
});

describe('sorting', () => {
  it('Spec: hosts 15: the_first_click_sorts_ascending_and_the_second_descending', async () => {
    const { api, user, address } = renderApp('/hosts');
    await user.click(await screen.findByRole('button', { name: 'CPU' }));
    await waitFor(() => expect(address()).toBe('/hosts?sort=cpu'));
    expect(screen.getByRole('columnheader', { name: 'CPU' })).toHaveAttribute(
      'aria-sort',
      'ascending',
    );
    await user.click(screen.getByRole('button', { name: 'CPU' }));
    await waitFor(() => expect(address()).toBe('/hosts?sort=-cpu'));
    await user.click(screen.getByRole('button', { name: 'Memory' }));
    await waitFor(() => expect(address()).toBe('/hosts?sort=memory'));
    await waitFor(() => expect(api.to('GET /hosts').at(-1)?.query.get('sort')).toBe('memory'));
  });

  it('Spec: hosts 15: the_default_is_hostname_ascending', async () => {
    const { api } = renderApp('/hosts');
    expect(await screen.findByRole('columnheader', { name: 'Name' })).toHaveAttribute(
      'aria-sort',
      'ascending',
    );
    expect(api.to('GET /hosts')[0]?.query.get('sort')).toBe('hostname');
  });
});

describe('address bar', () => {
  it('Spec: hosts 17: a_link_reproduces_the_view', async () => {
    const link =
      '/hosts?search=web&status=offline&os=linux&stale=true&hot=disk&sort=-last_seen&page=2&page_size=25';
    const { api } = renderApp(link, {
      'GET /hosts/summary': aSummary(),
      'GET /hosts': pageOf([aHost()], { total: 60, page: 2, page_size: 25 }),
    });
    expect(await screen.findByRole('searchbox', { name: 'Search hosts' })).toHaveValue('web');
    expect(screen.getByRole('combobox', { name: 'Status' })).toHaveValue('offline');
    expect(screen.getByRole('combobox', { name: 'Operating system' })).toHaveValue('linux');
    expect(await screen.findByText('26–50 of 60')).toBeVisible();
    expect(`/hosts?${api.to('GET /hosts')[0]?.query.toString()}`).toBe(link);
  });

  it('Spec: hosts 17: going_back_restores_the_earlier_view', async () => {
    const { user, back } = renderApp('/hosts?search=web');
    await user.click(await screen.findByRole('button', { name: 'Clear filters' }));
    const search = screen.getByRole('searchbox', { name: 'Search hosts' });
    await waitFor(() => expect(search).toHaveValue(''));
    back();
    await waitFor(() => expect(search).toHaveValue('web'));
  });

  it('parameters_that_make_no_sense_are_dropped', () => {
    const raw = { status: 'purple', sort: 'secret', page: '-1', page_size: '7', hot: 'gpu' };
    expect(differs(parseHostSearch(raw))).toBe(false);
  });
});
