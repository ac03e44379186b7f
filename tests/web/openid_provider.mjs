// A certified OpenID provider for the tests: node openid_provider.mjs CONFIGURATION (JSON).
// {client: {...}, accounts: {login: {claims}}, more: {...}}; prints {"issuer": ...} when it listens, and ends with its
// standard input. Its sign-in pages are the package's own for development: any password is right.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const { client, accounts, more = {} } = JSON.parse(process.argv[2]);

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [client],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username'], groups: ['groups'], email: ['email'] },
    cookies: { keys: ['of the tests'] },
    // PKCE is demanded of everybody
    pkce: { required: () => true },
    findAccount: (_context, login) =>
      login in accounts
        ? { accountId: login, claims: () => ({ sub: login, ...accounts[login] }) }
        : undefined,
    ...more,
  });
  server.on('request', provider.callback());
  console.log(JSON.stringify({ issuer }));
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
