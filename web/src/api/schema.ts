/**
 * Names for the shapes of the web API. The shapes come out of `api/openapi.json`; what is added
 * here are the closed lists of words that the document only calls strings.
 */
import type { components } from './schema.gen';

type Schemas = components['schemas'];

/** The server always writes optional values, as null when they are missing. */
export type Written<T> = T extends readonly (infer Item)[]
  ? Written<Item>[]
  : T extends object
    ? { [Key in keyof T]-?: Written<Exclude<T[Key], undefined>> }
    : T;

type With<T, Words> = Omit<T, keyof Words> & Words;

export type Permission =
  | 'hosts.read'
  | 'agents.read'
  | 'agents.approve'
  | 'enrolment.manage'
  | 'enrolment.auto_approve'
  | 'directory.lookup'
  | 'ldap_configurations.read'
  | 'ldap_configurations.write'
  | 'settings.read'
  | 'settings.write'
  | 'audit.read'
  | 'audit.export'
  | 'audit.manage'
  | 'mail.pending'
  | 'system.read'
  | 'users.read'
  | 'users.manage'
  | 'invitations.manage'
  | 'teams.read'
  | 'teams.manage'
  | 'organisation.write'
  | 'organisations.manage'
  | 'sessions.own'
  | 'licence.read'
  | 'licence.manage'
  | 'egress.read'
  | 'egress.manage'
  | 'sessions.manage'
  | 'mfa.reset'
  | 'api_keys.own'
  | 'identity_providers.read'
  | 'identity_providers.write'
  | 'service_keys.manage'
  | 'host_groups.read'
  | 'host_groups.write'
  | 'host_scopes.manage'
  | 'rbac.manage';
export type TokenStatus = 'active' | 'expired' | 'exhausted' | 'revoked';
export type AgentStatus = 'pending' | 'active' | 'offline' | 'revoked';
export type HostStatus = 'online' | 'offline' | 'unknown' | 'pending';
export type ReenrolmentPolicy = 'adopt' | 'adopt_after_approval' | 'refuse';

export interface Page<T> {
  items: T[];
  page: number;
  page_size: number;
  total: number;
}

export interface ListOf<T> {
  items: T[];
}

export interface CursorPage<T> {
  items: T[];
  next_cursor: string | null;
}

export type FieldProblem = Schemas['ProblemField'];
/** Only status and code are certain: a proxy in between can answer without the rest. */
export type ProblemBody = Pick<Schemas['ProblemBody'], 'status' | 'code'> &
  Partial<Schemas['ProblemBody']>;

export type AuthMethods = Schemas['AuthMethodsBody'];
export type SetupRequest = Schemas['SetupInput'];
export type LoginRequest = Schemas['LoginInput'];
export type Me = Schemas['MeBody'];
export type SessionRow = Schemas['SessionBody'];
export type SecondFactorMethod = 'totp' | 'passkey' | 'recovery_code';
/** How a sign-in goes on. */
export type SignInAnswer =
  | { status: 'signed_in'; me: Me }
  | { status: 'second_factor'; methods: SecondFactorMethod[]; expires_at: string };
/** How a verification ended: signed in, or the address counts and nothing more. */
export type VerifyAnswer = SignInAnswer | { status: 'verified'; email: string };
/** The own account. */
export type Profile = Written<Schemas['Profile']>;
export type SecondStep = With<Schemas['SecondStepBody'], { methods: SecondFactorMethod[] }>;
export type Mfa = Written<Schemas['MfaBody']>;
export type TotpEnrolment = Schemas['TotpEnrolmentBody'];
export type RecoveryCodes = Schemas['RecoveryCodesBody'];
export type Reauthentication = Written<Schemas['ReauthenticationBody']>;
export type Passkey = Written<Schemas['PasskeyBody']>;
export type PasskeyChallenge = Schemas['PasskeyChallengeBody'];
export type ApiKey = Written<Schemas['ApiKeyBody']>;
export type CreatedApiKey = { key: ApiKey; secret: string };
export type NewApiKeyRequest = Schemas['NewApiKeyInput'];
export type NewServiceKeyRequest = Schemas['NewServiceKeyInput'];

export type Tag = Schemas['Tag'];
export type Token = With<Written<Schemas['EnrolmentToken']>, { status: TokenStatus }>;
export type CreateTokenRequest = Written<Schemas['NewEnrolmentToken']>;
export type CreatedToken = With<Schemas['CreatedEnrolmentToken'], { token: Token }>;
export type EnrolmentSettings = With<
  Schemas['EnrolmentSettings'],
  { reenrolment_policy: ReenrolmentPolicy }
>;

export type Collision = With<
  Schemas['AgentCollision'],
  { status: HostStatus; matched_on: 'machine_id' | 'hostname' | 'address' }
>;
export type Agent = With<
  Written<Schemas['Agent']>,
  { status: AgentStatus; collision: Collision | null }
>;
export type AgentHistoryEntry = Written<Schemas['AgentHistoryItem']>;

export type HostRow = With<Written<Schemas['HostItem']>, { status: HostStatus }>;
export type HostSummary = Written<Schemas['SummaryBody']>;
export type Facet = Written<Schemas['FacetBody']>;
export type HostFacets = Written<Schemas['FacetsBody']>;
export type Disk = Schemas['DiskBody'];
export type NetworkInterface = Schemas['InterfaceBody'];
export type HostAgent = With<Written<Schemas['HostAgent']>, { status: AgentStatus }>;
export type HostDetail = With<
  Written<Schemas['HostBody']>,
  { status: HostStatus; agent: HostAgent | null }
>;
export type Sample = Written<Schemas['SampleBody']>;

/** Data of the server-sent event `host.updated`. */
export type HostUpdate = With<Written<Schemas['HostUpdated']>, { status: HostStatus }>;

/** Data of the server-sent event `fleet.changed`. */
export interface FleetChange {
  kinds: ('vitals' | 'status' | 'agents' | 'hosts')[];
}

export type AuditEvent = Written<Schemas['AuditEvent']>;
/** States before and after are whatever the action is about. */
export type AuditEventDetail = With<
  Written<Schemas['AuditEventDetail']>,
  { before: unknown; after: unknown }
>;
export type AuditExport = Written<Schemas['AuditExport']>;
export type AuditSettings = Written<Schemas['AuditSettings']>;
export type AuditSettingsInput = Written<Schemas['AuditSettingsInput']>;
export type AuditForwarder = Written<Schemas['AuditForwarder']>;
export type AuditForwarderInput = Written<Schemas['AuditForwarderInput']>;
export type AuditForwarderTest = Written<Schemas['AuditForwarderTest']>;
export type VerifyReport = Written<Schemas['VerifyReport']>;
export type OwnSignIn = Written<Schemas['OwnSignIn']>;

export type Role = 'super_admin' | 'org_admin' | 'engineer' | 'read_only';
/** Who is invited has an invitation and no membership yet. */
export type MemberState = 'pending' | 'active' | 'deactivated' | 'removed';
export type User = With<
  Written<Schemas['User']>,
  {
    state: MemberState;
    roles: Role[];
    displayed_role: Role | null;
    roles_from: 'people' | 'provider';
  }
>;
export type UserChange = Written<Schemas['UserChange']>;
export type UserPatchRequest = Schemas['UserPatch'];
export type InvitationState = 'live' | 'expired' | 'accepted' | 'cancelled';
export type Invitation = With<
  Written<Schemas['Invitation']>,
  { roles: Role[]; state: InvitationState }
>;
export type InviteRequest = Schemas['NewInvitation'];
export type Invited =
  | { status: 'invited'; invitation: Invitation; link: string }
  | { status: 'restored'; user_id: string };
export type InvitationLook = With<Written<Schemas['InvitationLook']>, { roles: Role[] }>;
export type AcceptRequest = Schemas['InvitationAcceptance'];
export type AcceptAnswer =
  | SignInAnswer
  | { status: 'joined'; organisation_id: string }
  | { status: 'verify_email' };
export type Team = Written<Schemas['Team']>;
export type TeamDetail = Team & {
  members: Schemas['TeamMember'][];
  host_groups: Schemas['TeamRef'][];
};
export type TeamMemberPreview = Schemas['TeamMemberPreview'];
export type NewTeamRequest = Schemas['NewTeam'];
export type TeamPatchRequest = Schemas['TeamPatch'];
export type LinkPreview = Schemas['LinkPreview'];
export type LinkedIdentity = Schemas['ExternalIdentity'];
export type Organisation = With<Written<Schemas['Organisation']>, { roles: Role[] }>;
export type OrganisationPatchRequest = Schemas['OrganisationPatch'];
export type NewOrganisationRequest = Schemas['NewOrganisation'];
