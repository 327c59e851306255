import { vi } from 'vitest';
import type {
  CustomRole,
  HostGroup,
  HostGroupReference,
  HostScope,
  PermissionExplanation,
  PermissionInfo,
  RoleAssignment,
  RolePreview,
  UserSecurity,
} from '@/api/access';
import { API_BASE } from '@/api/client';
import type {
  DirectoryChoice,
  DirectoryGroups,
  DirectoryMatches,
  DirectoryUser,
  LdapConfiguration,
  LdapPresets,
  LdapRow,
  LdapTestResult,
  LinkRequired,
} from '@/api/directory';
import type { EgressPolicy } from '@/api/egress';
import type { Features } from '@/api/features';
import type { IdentityProvider, Preset, ProviderTest } from '@/api/identityProviders';
import type { ActivationToken, Licence, LicenceHistory } from '@/api/licence';
import type {
  AcceptAnswer,
  Agent,
  AgentHistoryEntry,
  ApiKey,
  AuditEvent,
  AuditEventDetail,
  AuditExport,
  AuditForwarder,
  AuditForwarderTest,
  AuditSettings,
  AuthMethods,
  CreatedApiKey,
  CreatedToken,
  CursorPage,
  EnrolmentSettings,
  HostDetail,
  HostFacets,
  HostRow,
  HostSummary,
  Invitation,
  InvitationLook,
  Invited,
  LinkedIdentity,
  LinkPreview,
  ListOf,
  Me,
  Mfa,
  Organisation,
  OwnSignIn,
  Page,
  Passkey,
  PasskeyChallenge,
  ProblemBody,
  Profile,
  Reauthentication,
  RecoveryCodes,
  Sample,
  SecondStep,
  SessionRow,
  SignInAnswer,
  Team,
  TeamDetail,
  TeamMemberPreview,
  Token,
  TotpEnrolment,
  User,
  UserChange,
  VerifyAnswer,
  VerifyReport,
} from '@/api/schema';
import type {
  FeatureFlags,
  PendingMail,
  SettingsImport,
  SettingsPage,
  SettingsPageSummary,
  SettingsPastSave,
  SmtpTest,
  SystemHealth,
} from '@/api/settings';

/** Calls about people, teams and organisations. */
export interface PeopleEndpoints {
  'GET /users': Page<User>;
  'GET /users/{id}/history': ListOf<UserChange>;
  'PATCH /users/{id}': User;
  'DELETE /users/{id}': undefined;
  'POST /users/{id}/restore': User;
  'GET /invitations': Page<Invitation>;
  'POST /invitations': Invited;
  'POST /invitations/{id}/resend': Invited;
  'DELETE /invitations/{id}': undefined;
  'POST /invitations/lookup': InvitationLook;
  'POST /invitations/accept': AcceptAnswer;
  'GET /teams': Page<Team>;
  'POST /teams': TeamDetail;
  'GET /teams/{id}': TeamDetail;
  'PATCH /teams/{id}': TeamDetail;
  'DELETE /teams/{id}': undefined;
  'POST /teams/{id}/members': TeamDetail;
  'POST /teams/{id}/members/preview': TeamMemberPreview;
  'DELETE /teams/{id}/members/{id}': undefined;
  'PUT /teams/{id}/host-groups': TeamDetail;
  'GET /identity-providers': ListOf<IdentityProvider>;
  'POST /identity-providers': IdentityProvider;
  'GET /identity-providers/presets': Preset[];
  'PATCH /identity-providers/{id}': IdentityProvider;
  'DELETE /identity-providers/{id}': undefined;
  'POST /identity-providers/{id}/test': ProviderTest;
  'GET /identity-providers/{id}': IdentityProvider;
  'GET /settings/egress': EgressPolicy;
  'PUT /settings/egress': EgressPolicy;
  'POST /settings/egress/targets': EgressPolicy;
  'DELETE /settings/egress/targets/{id}': undefined;
  'GET /organisations': ListOf<Organisation>;
  'POST /organisations': Organisation;
  'GET /organisations/{id}': Organisation;
  'PATCH /organisations/{id}': Organisation;
  'DELETE /organisations/{id}': undefined;
  'POST /me/organisation': undefined;
  'GET /me/external-identities': ListOf<LinkedIdentity>;
  'DELETE /me/external-identities/{id}': undefined;
  'POST /me/external-identities/preview': LinkPreview;
  'POST /me/external-identities': undefined;
}

/** Calls about host groups, who is limited to them, custom roles, and how others sign in. */
export interface AccessEndpoints {
  'GET /host-groups': Page<HostGroup>;
  'POST /host-groups': HostGroup;
  'GET /host-groups/{id}': HostGroup;
  'PATCH /host-groups/{id}': HostGroup;
  'DELETE /host-groups/{id}': undefined;
  'POST /host-groups/{id}/restore': HostGroup;
  'GET /host-groups/{id}/references': ListOf<HostGroupReference>;
  'GET /host-groups/{id}/members': Page<HostRow>;
  'POST /host-groups/{id}/members': { added: number; already_member: number };
  'DELETE /host-groups/{id}/members': { removed: number; not_member: number };
  'GET /hosts/{id}/groups': ListOf<HostGroup>;
  'GET /users/{id}': User;
  'GET /users/{id}/host-scope': HostScope;
  'PUT /users/{id}/host-scope': HostScope;
  'GET /users/{id}/security': UserSecurity;
  'POST /users/{id}/unlock': undefined;
  'DELETE /users/{id}/mfa': undefined;
  'GET /users/{id}/sessions': ListOf<SessionRow>;
  'DELETE /users/{id}/sessions': undefined;
  'DELETE /users/{id}/sessions/{id}': undefined;
  'GET /permissions': ListOf<PermissionInfo>;
  'GET /permissions/explain': PermissionExplanation;
  'GET /roles': ListOf<CustomRole>;
  'POST /roles': CustomRole;
  'GET /roles/{id}': CustomRole;
  'PUT /roles/{id}': CustomRole;
  'DELETE /roles/{id}': undefined;
  'POST /roles/preview': RolePreview;
  'GET /role-assignments': ListOf<RoleAssignment>;
  'POST /role-assignments': RoleAssignment;
  'DELETE /role-assignments/{id}': undefined;
  'POST /organisations/{id}/restore': Organisation;
}

/** Calls about directories. */
export interface DirectoryEndpoints {
  'POST /auth/ldap/login': SignInAnswer | LinkRequired;
  'GET /directory/configurations': ListOf<DirectoryChoice>;
  'GET /directory/{id}/users': DirectoryMatches;
  'GET /directory/{id}/users/by-dn': DirectoryUser;
  'GET /directory/{id}/users/by-dn/groups': DirectoryGroups;
  'GET /ldap-configurations': ListOf<LdapRow>;
  'GET /ldap-configurations/presets': LdapPresets;
  'GET /ldap-configurations/{id}': LdapConfiguration;
  'POST /ldap-configurations': LdapConfiguration;
  'PATCH /ldap-configurations/{id}': LdapConfiguration;
  'DELETE /ldap-configurations/{id}': undefined;
  'POST /ldap-configurations/test': LdapTestResult;
}

/** Every call the interface makes, with the shape of its answer. */
export interface Endpoints extends AccessEndpoints, DirectoryEndpoints, PeopleEndpoints {
  'GET /auth/methods': AuthMethods;
  'POST /setup': Me;
  'POST /auth/login': SignInAnswer;
  'POST /auth/forgot-password': undefined;
  'POST /auth/reset-password': undefined;
  'PUT /me/password': undefined;
  'POST /auth/register': undefined;
  'POST /auth/verify-email': VerifyAnswer;
  'POST /auth/resend-verification': undefined;
  'GET /me/profile': Profile;
  'PATCH /me': Profile;
  'POST /me/email': undefined;
  'DELETE /me/email': undefined;
  'GET /auth/mfa': SecondStep;
  'POST /auth/mfa/verify': SignInAnswer;
  'POST /auth/mfa/passkey/options': PasskeyChallenge;
  'POST /auth/mfa/passkey': SignInAnswer;
  'POST /auth/passkey/options': PasskeyChallenge;
  'POST /auth/passkey': SignInAnswer;
  'GET /me/mfa': Mfa;
  'POST /me/mfa/totp': TotpEnrolment;
  'POST /me/mfa/totp/confirm': RecoveryCodes;
  'DELETE /me/mfa/totp': undefined;
  'POST /me/mfa/recovery-codes': RecoveryCodes;
  'GET /me/reauthentication': Reauthentication;
  'POST /me/reauthenticate': undefined;
  'POST /me/reauthenticate/passkey/options': PasskeyChallenge;
  'POST /me/reauthenticate/passkey': undefined;
  'GET /me/passkeys': ListOf<Passkey>;
  'POST /me/passkeys': Passkey;
  'POST /me/passkeys/options': PasskeyChallenge;
  'PATCH /me/passkeys/{id}': Passkey;
  'DELETE /me/passkeys/{id}': undefined;
  'GET /me/api-keys': ListOf<ApiKey>;
  'POST /me/api-keys': CreatedApiKey;
  'DELETE /me/api-keys/{id}': undefined;
  'GET /api-keys': ListOf<ApiKey>;
  'POST /api-keys': CreatedApiKey;
  'DELETE /api-keys/{id}': undefined;
  'GET /features': Features;
  'GET /licence': Licence;
  'PUT /licence': Licence;
  'DELETE /licence': undefined;
  'GET /licence/history': LicenceHistory;
  'POST /licence/activation-tokens': ActivationToken;
  'POST /licence/revocations/refresh': Licence;
  'POST /auth/logout': undefined;
  'GET /auth/provider-logout': { url: string | null };
  'GET /me': Me;
  'GET /me/sessions': ListOf<SessionRow>;
  'DELETE /me/sessions': undefined;
  'DELETE /me/sessions/{id}': undefined;
  'GET /audit/events': CursorPage<AuditEvent>;
  'GET /audit/events/{id}': AuditEventDetail;
  'POST /audit/verify': VerifyReport;
  'POST /audit/exports': AuditExport;
  'GET /audit/settings': AuditSettings;
  'PUT /audit/settings': AuditSettings;
  'GET /audit/forwarders': ListOf<AuditForwarder>;
  'POST /audit/forwarders': AuditForwarder;
  'PUT /audit/forwarders/{id}': AuditForwarder;
  'DELETE /audit/forwarders/{id}': undefined;
  'POST /audit/forwarders/{id}/test': AuditForwarderTest;
  'GET /me/sign-ins': ListOf<OwnSignIn>;
  'GET /enrolment-tokens': Page<Token>;
  'POST /enrolment-tokens': CreatedToken;
  'POST /enrolment-tokens/{id}/revoke': Token;
  'GET /settings': ListOf<SettingsPageSummary>;
  'GET /settings/authentication': SettingsPage;
  'PUT /settings/authentication': SettingsPage;
  'GET /settings/authentication/history': CursorPage<SettingsPastSave>;
  'POST /settings/authentication/restore': SettingsPage;
  'GET /settings/smtp-relay': SettingsPage;
  'PUT /settings/smtp-relay': SettingsPage;
  'GET /settings/smtp-relay/history': CursorPage<SettingsPastSave>;
  'POST /settings/smtp-relay/test': SmtpTest;
  'POST /settings/import': SettingsImport;
  'GET /mail/pending': ListOf<PendingMail>;
  'POST /mail/pending/{id}/reveal': { link: string | null };
  'DELETE /mail/pending/{id}': undefined;
  'GET /feature-flags': FeatureFlags;
  'PATCH /feature-flags': FeatureFlags;
  'GET /system/health': SystemHealth;
  'GET /settings/enrolment': EnrolmentSettings;
  'PATCH /settings/enrolment': EnrolmentSettings;
  'GET /agents': Page<Agent>;
  'GET /agents/{id}/history': CursorPage<AgentHistoryEntry>;
  'POST /agents/{id}/approve': Agent;
  'POST /agents/{id}/reject': Agent;
  'POST /agents/{id}/revoke': Agent;
  'GET /hosts': Page<HostRow>;
  'GET /hosts/summary': HostSummary;
  'GET /hosts/facets': HostFacets;
  'GET /hosts/{id}': HostDetail;
  'GET /hosts/{id}/samples': ListOf<Sample>;
}

interface Call {
  endpoint: keyof Endpoints;
  path: string;
  query: URLSearchParams;
  headers: Headers;
  body: unknown;
}

/** A refusal by the server. */
export class Refusal {
  readonly problem: ProblemBody;
  readonly headers: Record<string, string>;

  constructor(status: number, code: string, more: Partial<ProblemBody> = {}, retryAfter?: number) {
    this.problem = { status, code, request_id: 'req-00000001', ...more };
    this.headers = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
  }
}

type Answer<T> = T | Refusal | ((call: Call) => T | Refusal | Promise<T | Refusal>);
export type Answers = { [Name in keyof Endpoints]?: Answer<Endpoints[Name]> };

export interface MockApi {
  calls: Call[];
  /** The calls of one endpoint, oldest first. */
  to: (endpoint: keyof Endpoints) => Call[];
  /** Changes answers in the middle of a test. */
  answer: (answers: Answers) => void;
}

/** `GET /hosts/h1` as the endpoint it belongs to; exact names win over `{id}`. */
function endpointOf(method: string, path: string, known: Answers): keyof Endpoints | undefined {
  const wanted = `${method} ${path}`;
  const names = Object.keys(known) as (keyof Endpoints)[];
  return (
    names.find((name) => name === wanted) ??
    names.find((name) => new RegExp(`^${name.replaceAll('{id}', '[^/]+')}$`).test(wanted))
  );
}

function responseOf(answer: unknown): Response {
  if (answer instanceof Refusal) {
    return Response.json(answer.problem, {
      status: answer.problem.status,
      headers: { 'Content-Type': 'application/problem+json', ...answer.headers },
    });
  }
  return answer === undefined ? new Response(null, { status: 204 }) : Response.json(answer);
}

/** Stands in for the server; an endpoint without an answer is 404 `not_found`. */
export function mockApi(first: Answers): MockApi {
  let answers = first;
  const calls: Call[] = [];
  vi.stubGlobal('fetch', async (input: string, init: RequestInit = {}) => {
    const url = new URL(input, 'https://ops.example.net');
    const path = url.pathname.slice(API_BASE.length);
    const endpoint = endpointOf(init.method ?? 'GET', path, answers);
    if (!endpoint) {
      return responseOf(new Refusal(404, 'not_found', { detail: `${path} not found` }));
    }
    const call: Call = {
      endpoint,
      path,
      query: url.searchParams,
      headers: new Headers(init.headers),
      body: typeof init.body === 'string' ? JSON.parse(init.body) : undefined,
    };
    calls.push(call);
    const answer = answers[endpoint];
    return responseOf(typeof answer === 'function' ? await answer(call) : answer);
  });
  return {
    calls,
    to: (endpoint) => calls.filter((call) => call.endpoint === endpoint),
    answer: (more) => {
      answers = { ...answers, ...more };
    },
  };
}
