// For `node --import`: this process and those that it starts get what the others leave over.
import { constants, setPriority } from 'node:os';

setPriority(constants.priority.PRIORITY_LOW);
