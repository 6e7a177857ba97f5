import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type AgentIdentity = { readonly agentId: string; readonly name: string };
export const agentConfigFile = (directory: string): string => join(directory, 'agent.yaml');
