// Signing in: the coordinator's token, once for as long as the tab is open.
import { useState } from 'preact/hooks';
import { apiClient } from '../api/client.ts';
import { Refused } from '../api/refused.ts';
import { useAction } from '../parts/dialog.tsx';
import { Problem } from '../parts/status.tsx';

export function SignIn({ onToken }: { readonly onToken: (token: string) => void }) {
  const [token, setToken] = useState('');
  const { busy, refused, run } = useAction(async () => {
    const client = apiClient(token.trim(), () => undefined);
    await client.get('sensors').catch((error: unknown) => {
      if (error instanceof Refused && error.status === 401)
        throw new Refused(401, 'This is not the token of this coordinator.');
      throw error;
    });
    onToken(token.trim());
  });
  return (
    <main id="main" class="sign-in">
      <h1>Capfleet</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        <label>
          Token of the coordinator
          <input
            type="password"
            autocomplete="current-password"
            required
            value={token}
            aria-describedby="token-help"
            onInput={({ currentTarget }) => {
              setToken(currentTarget.value);
            }}
          />
        </label>
        <p id="token-help" class="quiet">
          It is kept in this tab until the tab is closed, or you sign out.
        </p>
        <Problem refused={refused} />
        <button type="submit" class="primary" disabled={busy}>
          Sign in
        </button>
      </form>
    </main>
  );
}
