// Makes the secrets of a Compose project at its first start, each in a volume that only those mount who need it. There are no
// defaults: what is made here stays, and is never printed.
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs';

const SERVICE = 10_001;
const secret = () => randomBytes(24).toString('hex');

function write(folder, name, text) {
  const path = `/secrets/${folder}/${name}`;
  writeFileSync(path, text, { mode: 0o400 });
  chownSync(path, SERVICE, SERVICE);
}

if (existsSync('/secrets/redis/users.acl')) process.exit(0);

const token = secret();
const [accessKey, secretKey] = [randomBytes(10).toString('hex'), secret()];
const credentials = `[default]\naws_access_key_id = ${accessKey}\naws_secret_access_key = ${secretKey}\n`;
let users = readFileSync('/etc/capfleet/users.acl', 'utf8');
for (const role of ['coordinator', 'mapper', 'replayer']) {
  const password = secret();
  users = users.replace(`${role.toUpperCase()}_PASSWORD`, password);
  write(role, 'capfleet.yaml', `redis: redis://${role}:${password}@redis:6379\n`);
  write(role, 'credentials', credentials);
}
write('coordinator', 'token', `${token}\n`);
write('client', 'token', `${token}\n`);
write('client', 'credentials', credentials);
write('s3', 'credentials', credentials);
// Last, and for a server that drops its rights before it reads it.
writeFileSync('/secrets/redis/users.acl', users, { mode: 0o444 });
