import { screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { methods } from '@/testing/fixtures';
import { Refusal } from '@/testing/mockApi';
import { renderApp } from '@/testing/renderApp';

function openWith(legal_notice: string) {
  renderApp('/login', {
    'GET /me': new Refusal(401, 'unauthenticated'),
    'GET /auth/methods': methods({ legal_notice }),
  });
}

describe('legal notice', () => {
  it('Spec: settings 1: stands_before_sign_in_as_it_was_written', async () => {
    openWith('For staff only.\n\nEvery step is **recorded**.');
    const notice = await screen.findByRole('region', { name: 'Legal notice' });
    expect(notice.textContent).toBe('For staff only.\n\nEvery step is **recorded**.');
    expect(screen.getByRole('button', { name: 'Sign in' })).toBeVisible();
  });

  it('hostile_markup_is_text_and_nothing_else', async () => {
    const hostile =
      '<img src=x onerror="alert(1)"><script>alert(2)</script>' +
      '<a href="javascript:alert(3)">go</a> [go](javascript:alert(4)) <form action="//evil.example">';
    openWith(hostile);
    const notice = await screen.findByRole('region', { name: 'Legal notice' });
    expect(notice.textContent).toBe(hostile);
    expect(notice.children).toHaveLength(0);
    expect(document.querySelector('script, a[href^="javascript:"]')).toBeNull();
  });

  it('nothing_stands_there_without_one', async () => {
    openWith(' \n ');
    expect(await screen.findByRole('button', { name: 'Sign in' })).toBeVisible();
    expect(screen.queryByRole('region', { name: 'Legal notice' })).toBeNull();
  });
});
