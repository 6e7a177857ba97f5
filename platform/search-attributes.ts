import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';

const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
const int = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.INT);

/** The search attributes of names 3, for whoever starts or lists workflows; workflows have their own. */
export const attributeKeys = {
  state: keyword('FixpointState'),
  policy: keyword('FixpointPolicy'),
  runbook: keyword('FixpointRunbook'),
  group: keyword('FixpointGroup'),
  severity: keyword('FixpointSeverity'),
  trigger: keyword('FixpointTrigger'),
  hosts: int('FixpointHosts'),
  hostsFailed: int('FixpointHostsFailed'),
} as const;
