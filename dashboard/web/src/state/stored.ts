// What the reader chose, in this browser only. Without storage (private windows) it holds until the page is left.
export function stored(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

export function store(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Not kept, then.
  }
}
