import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { workflowTypes } from '../contracts/temporal.ts';

/** Ids of the repairs that run, as a listing has them, which lags behind; `and` is a further condition. */
export async function runningRepairs(client: Client, and = ''): Promise<readonly string[]> {
  const query = `WorkflowType = "${workflowTypes.remediation}" AND ExecutionStatus = "Running"${and}`;
  const running: string[] = [];
  for await (const { workflowId } of client.workflow.list({ query })) running.push(workflowId);
  return running;
}

/** What Temporal says of a workflow's latest run; null if there is none of that id. */
export async function describeIfThere(client: Client, workflowId: string) {
  try {
    return await client.workflow.getHandle(workflowId).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}
