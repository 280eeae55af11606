// Debian's Node.js 18 has Web Crypto, but not under the global names that the packages use.
import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
globalThis.CryptoKey ??= webcrypto.CryptoKey;
