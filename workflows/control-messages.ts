import { defineQuery, defineUpdate } from '@temporalio/workflow';
import {
  type ControlState,
  type ControlUpdate,
  type LockUpdate,
  queryNames,
  type RepublishUpdate,
  updateNames,
} from '../contracts/temporal.ts';

export const stopUpdate = defineUpdate<ControlState, [ControlUpdate]>(updateNames.stop);
export const allowUpdate = defineUpdate<ControlState, [ControlUpdate]>(updateNames.allow);
export const lockAgentUpdate = defineUpdate<ControlState, [LockUpdate]>(updateNames.lockAgent);
export const unlockAgentUpdate = defineUpdate<ControlState, [LockUpdate]>(updateNames.unlockAgent);
export const republishUpdate = defineUpdate<ControlState, [RepublishUpdate?]>(
  updateNames.republish,
);
export const controlStateQuery = defineQuery<ControlState>(queryNames.state);
