import { render, screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { Panel } from './Panel';

it('is_a_landmark_with_the_name_of_its_title', () => {
  render(<Panel title="Members">Ada</Panel>);
  expect(screen.getByRole('region', { name: 'Members' })).toHaveTextContent('Ada');
});

it('a_hidden_title_still_names_it_for_those_who_do_not_see_it', () => {
  render(
    <Panel title="Members" hideTitle>
      Ada
    </Panel>,
  );
  expect(screen.getByRole('region', { name: 'Members' })).toBeVisible();
  expect(screen.getByText('Members').closest('.visually-hidden')).not.toBeNull();
});
