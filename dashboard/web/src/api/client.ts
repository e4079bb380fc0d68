// Requests to `/api/v1`. A failure is a `Failure` that carries what the server said (problem+json) in words.
// The browser's own cache keeps ETags: an unchanged answer costs a 304.
import type { Problem } from './types';

export const API = '/api/v1';

export class Failure extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
  }
}

async function failure(response: Response): Promise<Failure> {
  const text = await response.text().catch(() => '');
  try {
    const problem = JSON.parse(text) as Partial<Problem>;
    if (problem.title !== undefined || problem.detail !== undefined)
      return new Failure({ title: problem.title ?? '', status: response.status, detail: problem.detail ?? '' });
  } catch {
    // Not JSON: a proxy's page, say. Its first line is all that helps.
  }
  return new Failure({ title: response.statusText, status: response.status, detail: text.split('\n', 1)[0]?.slice(0, 200) ?? '' });
}

/** A path under the API with its query; what is null or empty is left out. */
export function path(base: string, query: Record<string, string | number | null | undefined> = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== null && value !== undefined && value !== '') params.set(name, String(value));
  const text = params.toString();
  return text === '' ? base : `${base}?${text}`;
}

/** A name as one segment of a path. */
export const segment = (name: string): string => encodeURIComponent(name);

export async function get<T>(url: string, signal?: AbortSignal): Promise<{ data: T; etag: string | null }> {
  const response = await fetch(API + url, { headers: { accept: 'application/json' }, signal: signal ?? null });
  if (!response.ok) throw await failure(response);
  return { data: (await response.json()) as T, etag: response.headers.get('etag') };
}

export async function send(method: 'POST' | 'PUT' | 'DELETE', url: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const response = await fetch(API + url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: body === undefined ? null : JSON.stringify(body),
  });
  if (!response.ok) throw await failure(response);
  return response;
}
