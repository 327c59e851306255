import type { NewPassword } from './api';

const SHORTEST = 12;
const LONGEST = 128;

/** What is seen before anything is sent (auth 9); common passwords are known to the server only. */
export const newPasswordRules = {
  password: (value: string) => {
    const length = [...value].length;
    return length < SHORTEST || length > LONGEST ? 'Use 12 to 128 characters.' : null;
  },
  password_confirmation: (value: string, values: NewPassword) =>
    value === values.password ? null : 'The two passwords differ.',
};
