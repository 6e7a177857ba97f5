export { control } from './control.workflow.ts';
export { escalation } from './escalation.workflow.ts';
export { mailbox } from './mailbox.workflow.ts';
export { remediation } from './remediation.workflow.ts';
