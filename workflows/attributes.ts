import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

/** The search attributes a remediation sets while it runs (names 3). */
export const attributes = {
  state: defineSearchAttributeKey('FixpointState', SearchAttributeType.KEYWORD),
  policy: defineSearchAttributeKey('FixpointPolicy', SearchAttributeType.KEYWORD),
  hosts: defineSearchAttributeKey('FixpointHosts', SearchAttributeType.INT),
  hostsFailed: defineSearchAttributeKey('FixpointHostsFailed', SearchAttributeType.INT),
  deadline: defineSearchAttributeKey('FixpointDeadline', SearchAttributeType.DATETIME),
} as const;
