// Makes the secrets of a Compose project at its first start, each in a volume that only those mount who need it. There are no
// defaults: what is made here stays, and is never printed. The rules of the users of Redis are those of this version each time.
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

const SERVICE = 10_001;
const secret = () => randomBytes(24).toString('hex');

function write(folder, name, text) {
  const path = `/secrets/${folder}/${name}`;
  writeFileSync(path, text, { mode: 0o400 });
  chownSync(path, SERVICE, SERVICE);
}

if (!existsSync('/secrets/redis/users.acl')) {
  const token = secret();
  const [accessKey, secretKey] = [randomBytes(10).toString('hex'), secret()];
  const credentials = `[default]\naws_access_key_id = ${accessKey}\naws_secret_access_key = ${secretKey}\n`;
  for (const role of ['coordinator', 'mapper', 'replayer']) {
    write(role, 'capfleet.yaml', `redis: redis://${role}:${secret()}@redis:6379\n`);
    write(role, 'credentials', credentials);
  }
  for (const folder of ['coordinator', 'client']) write(folder, 'token', `${token}\n`);
  for (const folder of ['client', 's3']) write(folder, 'credentials', credentials);
}

let users = readFileSync('/etc/capfleet/users.acl', 'utf8');
for (const role of ['coordinator', 'mapper', 'replayer']) {
  const { password } = new URL(
    /redis:\/\/\S+/.exec(readFileSync(`/secrets/${role}/capfleet.yaml`, 'utf8'))[0],
  );
  users = users.replace(`${role.toUpperCase()}_PASSWORD`, password);
}
// Last, since it says that the others are there; for a server that drops its rights before it reads it.
writeFileSync('/secrets/redis/users.new', users, { mode: 0o444 });
renameSync('/secrets/redis/users.new', '/secrets/redis/users.acl');
