import type { Client, WorkflowExecutionInfo } from '@temporalio/client';

/** At most `limit` of the workflows that a listing finds, as rows, newest first. */
export async function newestRows<Row extends { readonly startedAt: string }>(
  client: Client,
  of: { readonly conditions: readonly string[]; readonly limit: number },
  rowOf: (info: WorkflowExecutionInfo) => Row,
): Promise<Row[]> {
  const rows: Row[] = [];
  const query = of.conditions.join(' AND ');
  for await (const info of client.workflow.list({ query, pageSize: of.limit })) {
    rows.push(rowOf(info));
    if (rows.length >= of.limit) break;
  }
  return rows.sort((left, right) => (left.startedAt < right.startedAt ? 1 : -1));
}
