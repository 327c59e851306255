import type { ProviderForm } from './form';

const TITLES: Record<keyof ProviderForm, string> = {
  name: 'Name',
  preset: 'Provider',
  issuer: 'Issuer',
  clientId: 'Client id',
  clientSecret: 'Client secret',
  secretInBody: 'Secret in the body',
  scopes: 'Scopes',
  ownEndpoints: 'Own addresses',
  authorization: 'Sign-in address',
  token: 'Token address',
  jwks: 'Key set',
  userinfo: 'User info address',
  endSession: 'Sign-out address',
  authority: 'Certificate authority',
  emailClaim: 'Email claim',
  nameClaim: 'Name claim',
  groupsClaim: 'Groups claim',
  metadata: 'Metadata',
  subjectAttribute: 'Id attribute',
  emailAttribute: 'Email attribute',
  nameAttribute: 'Name attribute',
  groupsAttribute: 'Groups attribute',
  beginsThere: 'Sign-in that begins there',
  contexts: 'Second factor contexts',
  domains: 'Allowed email domains',
  trustEmail: 'Trust email addresses',
  roles: 'Groups to roles',
  defaultRole: 'Everybody else',
  enabled: 'On',
};

/** Never compared, because the server does not show them. */
const HIDDEN: readonly (keyof ProviderForm)[] = ['clientSecret', 'metadata'];

export interface Difference {
  title: string;
  mine: string;
  theirs: string;
}

/** What two people made of the same provider. */
export function differences(mine: ProviderForm, theirs: ProviderForm): Difference[] {
  const fields = Object.keys(TITLES) as (keyof ProviderForm)[];
  return fields
    .filter((field) => !HIDDEN.includes(field) && mine[field] !== theirs[field])
    .map((field) => ({
      title: TITLES[field],
      mine: shown(mine[field]),
      theirs: shown(theirs[field]),
    }));
}

function shown(value: string | boolean): string {
  if (typeof value === 'boolean') {
    return value ? 'yes' : 'no';
  }
  return value === '' ? 'empty' : value.replaceAll('\n', ', ');
}
