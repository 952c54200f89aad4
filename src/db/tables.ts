import type { ColumnType, Generated } from 'kysely'
import type { Day } from '../domain/day.ts'
import type { RequestKind, RequestReason, RequestState } from '../domain/identity.ts'
import type { DueStep, MailFault, NoticeItem, NoticeKind, NoticeStage } from '../domain/notice.ts'
import type { EntryKind, RewardAccount } from '../domain/reward-ledger.ts'
import type { HoldReason, RetentionClass } from '../domain/retention.ts'
import type {
  Findings,
  InspectionResult,
  ReleaseReason,
  RewardLine,
  RewardStatus,
  RewardTerms,
  SendBackReason,
} from '../domain/reward.ts'

/** Row types, kept by hand; a test compares them with a migrated database. Rows stay inside `src/db` and `services`. */
type Json<T> = ColumnType<T, string, string>
type Bytes = Buffer

export interface DepartmentTable {
  id: string
  name: string
  kind: string
  full_name: string
  hotline: string | null
  mailbox: string | null
  in_source: boolean
  notes: string
  version: Generated<number>
}

export interface AreaTable {
  id: string
  name: string
  department_id: string | null
  police_department_id: string | null
  valid_from: Day | null
}

export interface CategoryTable {
  id: string
  group_id: string
  name: string
  visibility: string
  position: number
}

export interface MeasureTable {
  id: string
  no: number
  item: number | null
  section: number
  title: string
}

export interface RoutingRuleTable {
  id: string
  category_id: string
  answer: string | null
  area_id: string | null
  department_id: string
  co_departments: string[]
  measure_refs: string[]
  derived: boolean
  basis: string
}

export interface DeadlineRuleTable {
  id: Generated<number>
  category_id: string | null
  step: string
  count: number
  unit: string
  valid_from: Day
  valid_until: Day | null
}

export interface SettingTable {
  key: string
  value: Json<unknown>
}

export interface DataVersionTable {
  scope: string
  version: Generated<number>
}

export interface MemberTable {
  id: string
  username: string
  display_name: string
  department_id: string
  salt: Bytes
  kdf: Json<{ memoryKiB: number; iterations: number; parallelism: number }>
  auth_hash: Bytes
  recipient: string
  wrapped_identity: Bytes
  status: 'active' | 'removed'
  created_at: Date
}

export interface MemberRoleTable {
  member_id: string
  role: string
}

export interface EnrolmentTable {
  token_hash: Bytes
  username: string
  display_name: string
  department_id: string
  roles: string[]
  created_by: string | null
  expires_at: Date
}

export interface SessionTable {
  /** Stays while the token changes. */
  id: string
  token_hash: Bytes
  member_id: string
  half: Bytes
  created_at: Date
  seen_at: Date
  expires_at: Date
  /** When the second factor was last shown; null only in a demonstration, for a member who has none. */
  factor_at: Date | null
}

export interface TotpTable {
  member_id: string
  sealed: Bytes
  /** Number of the last time step whose code was taken: no code is taken twice. */
  last_step: number
  added_at: Date
}

export interface PasskeyTable {
  id: string
  member_id: string
  credential_id: string
  public_key: Bytes
  counter: number
  transports: string[]
  name: string
  /** The member's identity once more, under a key that only this passkey gives (PRF). */
  wrapped_identity: Bytes | null
  added_at: Date
  used_at: Date | null
}

export interface PasskeyChallengeTable {
  hash: Bytes
  member_id: string
  purpose: 'prove' | 'add'
  expires_at: Date
}

export interface FactorLinkTable {
  token_hash: Bytes
  member_id: string
  created_by: string | null
  expires_at: Date
}

export interface PendingSignInTable {
  token_hash: Bytes
  member_id: string
  tries: Generated<number>
  expires_at: Date
}

export interface KnownBrowserTable {
  member_id: string
  browser: Bytes
  seen_at: Date
}

export interface SignInFailureTable {
  account: Bytes
  /** Empty: all browsers together from which the account never signed in. */
  browser: Bytes
  kind: 'passphrase' | 'factor'
  failures: number
  last_at: Date
  retry_after: Date | null
}

export interface DepartmentKeyTable {
  /** A department, or a role's `role-…`. */
  department_id: string
  epoch: number
  recipient: string
  /** Null for the keys that the set-up made. */
  made_at: Date | null
  made_by: string | null
  /** Since when a newer key is wanted, because somebody who holds this one has left. */
  replace_since: Date | null
}

export interface RecipientEntryTable {
  /** Its place in the list, from 0. */
  no: number
  owner: string
  epoch: number
  recipient: string
  verifier: string
  day: Day
  signed_by: 'root' | 'predecessor'
  previous: string
  signature: string
}

export interface KeyGrantTable {
  id: string
  department_id: string
  epoch: number
  member_id: string | null
  wrapped: Bytes
  granted_by: string | null
  /** That the recipient is the member's own; see `vouchForMember`. */
  voucher: string | null
}

export interface StaffAuditTable {
  id: Generated<number>
  /** Its place in the chain, from 1, without gaps. */
  no: number
  /** Hash of the row before it; zeros for the first. */
  previous: Bytes
  hash: Bytes
  at: Date
  member_id: string | null
  role: string | null
  action: string
  object: string
  data: Json<Record<string, unknown>>
}

/** One row: where the chain of `staff_audit` ends. */
export interface AuditHeadTable {
  one: boolean
  count: number
  hash: Bytes
  /** Number and hash of the last row that is kept no longer. */
  gone: Generated<number>
  gone_hash: Generated<Bytes>
}

export interface CaseFileTable {
  id: string
  case_no: string
  category_id: string
  answer: string | null
  area_id: string
  when_bucket: string
  urgency: string
  accused_department_id: string | null
  holder_id: string
  co_departments: string[]
  rule_id: string
  measure_refs: string[]
  derived: boolean
  state: string
  version: Generated<number>
  lane: 'normal' | 'unverified'
  received_day: Day
  accept_due: Day | null
  conclude_due: Day | null
  due_count: number
  due_unit: 'working' | 'calendar'
  complex: Generated<boolean>
  extended: Generated<boolean>
  pause_used: Generated<boolean>
  paused_until: Day | null
  returned_by: Generated<string[]>
  proposed_holder_id: string | null
  arbitrated: Generated<boolean>
  arbitrate_due: Day | null
  hand_overs: Generated<number>
  worked_by: Generated<string[]>
  barred: Generated<string[]>
  accepted_day: Day | null
  outcome: string | null
  statement: string | null
  competent_body: string | null
  concluded_by: string | null
  concluded_day: Day | null
  published_by: string | null
  published_day: Day | null
  dispute_until: Day | null
  disputed: Generated<boolean>
  attached_to: string | null
  hide_category: Generated<boolean>
  hide_area: Generated<boolean>
  /** When it closed; null while it is not. */
  closed_day: Day | null
}

export interface TipTable {
  id: string
  case_id: string
  ordinal: number
  day: Day
  lookup: Bytes
  reporter_recipient: string
  /** A custodian's word for a reporter's recipient that came with a new code (sealing/reissued.ts); base64url. */
  reporter_signature: string | null
  recipient: string
  /** The reporter's word for the recipient (sealing/receipt-keys.ts); base64url, null in tips from before. */
  recipient_mac: string | null
  callback: boolean
  photo_count: number
  sealed_by: 'server' | 'browser'
  /** 16 bytes of salt and a hash (services/claim-pins.ts); null when the reporter chose none. */
  claim_pin: Bytes | null
  pin_tries: Generated<number>
  /** The reporter gave a name: there is a part `tip.identity` in {@link TwoLayerPartTable}. */
  named: Generated<boolean>
  /** Ordinal of the filing, given by the database. */
  arrival: Generated<number>
  /** Of the key that its wraps are locked under; null when they are not. */
  slot: number | null
  /** When its content was destroyed. */
  destroyed_day: Day | null
  /** When its receipt was forgotten: since then the code opens nothing. */
  forgotten_day: Day | null
}

export interface TipPartTable {
  tip_id: string
  part: number
  purpose: string
  sealed: Bytes | null
  blob_key: string | null
}

export interface TipWrapTable {
  tip_id: string
  department_id: string
  epoch: number
  wrapped: Bytes
}

/** What two people open together; see sealing/two-layer.ts. */
export interface DroppedSlotTable {
  slot: number
}

export interface TwoLayerPartTable {
  tip_id: string
  purpose: 'tip.identity' | 'tip.payee'
  recipient: string
  /** Locked under the slot; see services/two-layer-locks.ts. */
  sealed: Bytes
  slot: number
  keeper: string
  keeper_epoch: number
  approver_epoch: number
  wrapped: Bytes
}

export interface IdentityRequestTable {
  id: string
  tip_id: string
  case_id: string
  kind: RequestKind
  reason: RequestReason
  /** Sealed to custodians and approvers. */
  sealed_reason: Bytes
  /** Of whoever asked. */
  department_id: string
  state: RequestState
  asked_by: string
  asked_at: Date
  approver_id: string | null
  approved_at: Date | null
  /** Between the two: the outer layer is off. */
  inner_layer: Bytes | null
  custodian_id: string | null
  passed_at: Date | null
  /** The secret, wrapped to the member who asked. */
  passed: Bytes | null
  /** How the person was made out, for a new receipt code. */
  sealed_note: Bytes | null
  readable_until: Day | null
  refused_by: string | null
  refused_at: Date | null
}

export interface PayeeReleaseTable {
  tip_id: string
  inner_layer: Bytes
  released_by: string
  released_at: Date
}

export interface CaseNoteTable {
  id: string
  case_id: string
  tip_id: string
  purpose: string
  sealed: Bytes
  author_id: string
  at: Date
}

export interface MessageTable {
  tip_id: string
  number: number
  side: 'officer' | 'reporter'
  /** An officer's question for which the case waits. */
  asks: Generated<boolean>
  day: Day
  sealed: Bytes
  /** SHA-256 of a random value of the form: the same form sent twice is one message. */
  send_key: Bytes
  /** Null, like `at`, for what the reporter wrote. */
  author_id: string | null
  at: Date | null
}

export interface MessagePhotoTable {
  tip_id: string
  number: number
  photo: string
  blob_key: string
}

export interface FollowMailTable {
  tip_id: string
  id: string
  sealed: Bytes
  /** Something of the case has changed since the last mail. */
  changed: Generated<boolean>
  told_day: Day | null
}

export interface ProofTable {
  id: string
  case_id: string
  kind: string
  caption: string
  blob_key: string | null
  added_by: string
  added_at: Date
}

export interface CaseEventTable {
  case_id: string
  ordinal: number
  day: Day
  at: Date | null
  actor_id: string | null
  role: string
  action: string
  from_state: string | null
  to_state: string
  data: Json<Record<string, unknown>>
}

/** One proof item as published. */
export interface PublicProof {
  kind: string
  caption: string
  /** Key of the published picture under `/proof/`; null for a document number. */
  photo: string | null
}

export interface PublicCaseTable {
  case_no: string
  visible_from: Day
  holder_id: string
  received_week: Day
  due_week: Day | null
  due_text: string
  /** From this day on the case counts as overdue while it is not published; null when it was concluded in time. */
  overdue_from: Day | null
  hand_overs: number
  state: string
  category_id: string | null
  group_id: string | null
  area_id: string | null
  measure_refs: string[]
  outcome: string | null
  statement: string | null
  competent_body: string | null
  proof: Json<PublicProof[]>
  published_day: Day | null
  concluded_week: Day | null
  on_time: boolean | null
}

export interface FilingTable {
  key_hash: Bytes
  request_hash: Bytes
  reply: Bytes
  case_no: string
  day: Day
}

export interface DraftTable {
  id: string
  sealed: Bytes
  day: Day
}

export interface SpentProofTable {
  hash: Bytes
  day: Day
}

export interface DraftBlobTable {
  draft_id: string
  blob_key: string
}

export interface NoticeTable {
  department_id: string
  case_no: string
  kind: string
  day: Day
}

export interface MailTable {
  id: string
  kind: NoticeKind
  department_id: string
  day: Day
  items: Json<NoticeItem[]>
  state: 'waiting' | 'sent' | 'dead'
  attempts: Generated<number>
  fault: MailFault | null
  /** What the provider knows the last try by; null before the first. */
  message_key: string | null
}

export interface DueNoticeTable {
  department_id: string
  case_no: string
  step: DueStep
  due: Day
  stage: NoticeStage
}

export interface EntryTable {
  id: string
  entry_no: string
  list: string
  state: 'listed' | 'ended'
  revision: number
  subject_name: string
  uscc: string | null
  decision_no: string | null
  authority: string
  grams: string[]
  listed_on: Day
  listed_until: Day | null
  ended_on: Day | null
  data: Json<Record<string, unknown>>
  search_name: string
}

export interface ListProposalTable {
  id: string
  list: string
  action: 'enter' | 'amend' | 'remove'
  payload: Json<unknown>
  reason: string
  status: 'proposed' | 'approved' | 'rejected'
  proposed_by: string
  proposed_at: Date
  decided_by: string | null
  decided_at: Date | null
  decision_reason: string | null
}

export interface EntryRevisionTable {
  entry_id: string
  revision: number
  action: 'enter' | 'amend' | 'remove'
  data: Json<Record<string, unknown>>
  reason: string
  proposal_id: string
  proposed_by: string
  approved_by: string
  at: Date
}

export interface RewardScheduleTable {
  id: string
  /** Given when it is confirmed. */
  version: number | null
  title: string
  basis: string
  valid_from: Day
  valid_until: Day | null
  example: boolean
  terms: Json<RewardTerms>
  status: 'proposed' | 'confirmed' | 'rejected'
  proposed_by: string
  proposed_at: Date
  decided_by: string | null
  decided_at: Date | null
}

export interface RewardSettingTable {
  id: string
  /** Given when it is confirmed. */
  version: number | null
  anonymous: boolean
  inspect_per_mille: number
  status: 'proposed' | 'confirmed' | 'rejected'
  proposed_by: string
  proposed_at: Date
  decided_by: string | null
  decided_at: Date | null
}

export interface RewardInspectionTable {
  case_id: string
  /** The share that held at the draw. */
  per_mille: number
  selected: boolean
  drawn_day: Day
  result: InspectionResult | null
  inspected_by: string | null
  inspected_day: Day | null
}

export interface RewardTable {
  id: string
  case_id: string
  tip_id: string
  department_id: string
  schedule_id: string
  findings: Json<Findings>
  lines: Json<RewardLine[]>
  eligible: boolean
  amount_fen: number
  status: RewardStatus
  proposed_by: string
  proposed_day: Day
  decided_by: string | null
  decided_day: Day | null
  send_back_reason: SendBackReason | null
  budget_year: number | null
  claimed_day: Day | null
  code_hash: Bytes | null
  paid_by: string | null
  paid_day: Day | null
  voucher_no: string | null
  anonymous: boolean | null
  released_by: string | null
  released_day: Day | null
  release_reason: ReleaseReason | null
}

export interface RewardAccountTable {
  year: number
  account: RewardAccount
  balance_fen: Generated<number>
}

export interface RewardEntryTable {
  id: Generated<number>
  day: Day
  kind: EntryKind
  reward_id: string | null
  actor_id: string | null
  role: string
  voucher_no: string | null
  reason: string | null
}

export interface RewardPostingTable {
  entry_id: number
  line: number
  year: number
  account: RewardAccount
  amount_fen: number
}

export interface RetentionRuleTable {
  id: Generated<number>
  class: RetentionClass
  days: number
  valid_from: Day
  set_by: string
  set_at: Date
}

export interface RetentionHoldTable {
  id: string
  case_id: string
  reason: HoldReason
  placed_by: string
  placed_day: Day
  lifted_by: string | null
  lifted_day: Day | null
}

export interface UploadTable {
  id_hash: Bytes
  holder: Bytes
  size: number
  received: Generated<number>
  blob_key: string
  day: Day
}

export interface Database {
  department: DepartmentTable
  area: AreaTable
  category: CategoryTable
  measure: MeasureTable
  routing_rule: RoutingRuleTable
  deadline_rule: DeadlineRuleTable
  setting: SettingTable
  data_version: DataVersionTable
  member: MemberTable
  member_role: MemberRoleTable
  enrolment: EnrolmentTable
  session: SessionTable
  totp: TotpTable
  passkey: PasskeyTable
  passkey_challenge: PasskeyChallengeTable
  factor_link: FactorLinkTable
  pending_sign_in: PendingSignInTable
  known_browser: KnownBrowserTable
  sign_in_failure: SignInFailureTable
  department_key: DepartmentKeyTable
  recipient_entry: RecipientEntryTable
  key_grant: KeyGrantTable
  staff_audit: StaffAuditTable
  audit_head: AuditHeadTable
  case_file: CaseFileTable
  tip: TipTable
  tip_part: TipPartTable
  tip_wrap: TipWrapTable
  two_layer_part: TwoLayerPartTable
  dropped_slot: DroppedSlotTable
  identity_request: IdentityRequestTable
  payee_release: PayeeReleaseTable
  case_note: CaseNoteTable
  message: MessageTable
  message_photo: MessagePhotoTable
  follow_mail: FollowMailTable
  proof: ProofTable
  case_event: CaseEventTable
  public_case: PublicCaseTable
  filing: FilingTable
  spent_proof: SpentProofTable
  draft: DraftTable
  draft_blob: DraftBlobTable
  upload: UploadTable
  notice: NoticeTable
  mail: MailTable
  due_notice: DueNoticeTable
  entry: EntryTable
  list_proposal: ListProposalTable
  entry_revision: EntryRevisionTable
  reward_schedule: RewardScheduleTable
  reward_setting: RewardSettingTable
  reward_inspection: RewardInspectionTable
  reward: RewardTable
  reward_account: RewardAccountTable
  reward_entry: RewardEntryTable
  reward_posting: RewardPostingTable
  retention_rule: RetentionRuleTable
  retention_hold: RetentionHoldTable
}
