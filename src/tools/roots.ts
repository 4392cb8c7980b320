/** @file Which paths a tool may read and write: those below configured roots, links resolved; whatever lies elsewhere is refused without a look at it. */
import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";

/** A folder below which tools may read, but not what is hidden in it. */
export interface Root {
  readonly path: string;
  /** Nothing may be written there. */
  readonly readOnly?: boolean;
  /** Names right below it that hold what programs keep for the user, such as AppData. */
  readonly except?: readonly string[];
}

export interface PathGuard {
  /** As they were configured. */
  readonly roots: readonly string[];
  /** The path made absolute, once it is known to lie in a root; "~" is understood. A glob may name what is not there yet. */
  read(path: string): Promise<string>;
  /** The same for a folder that is read as a whole, such as a model: what links in it lead to must lie in a root too. */
  readFolder(path: string): Promise<string>;
  /** The path of something to be written. */
  write(path: string): Promise<string>;
  /** Why a file that was found may not be read; undefined where it may. */
  problemOf(file: string): Promise<string | undefined>;
}

export function createPathGuard(roots: readonly Root[]): PathGuard {
  const named = pathsOf(roots);
  const realRoots = (of = roots): Promise<readonly Root[]> =>
    Promise.all(of.map(async (root) => ({ ...root, path: await realpath(root.path).catch(() => root.path) })));
  const problemOf = async (file: string): Promise<string | undefined> => {
    const real = await realpath(file).catch(() => undefined);
    if (real === undefined || !isInside(real, await realRoots())) {
      return `${file}: leads out of the folders that tools may read. Remove the link, or add its folder to PREFLEXOR_ROOTS.`;
    }
    return kindProblem(file);
  };
  /** Throws where it lies outside; whether there is anything makes no difference to that. */
  const confined = async (text: string, of: readonly Root[], verb: string): Promise<string> => {
    const path = absolutePath(text);
    const realOnes = await realRoots(of);
    const refusal = new Error(outside(text, verb, pathsOf(of)));
    if (!isInside(path, of) && !isInside(path, realOnes)) throw refusal;
    const real = await realAncestor(path);
    if (real === undefined || !isInside(real, realOnes)) throw refusal;
    return path;
  };
  const read = async (text: string): Promise<string> => {
    const path = await confined(text, roots, "read");
    const problem = await kindProblem(path);
    if (problem !== undefined) throw new Error(problem);
    return path;
  };
  return {
    roots: named,
    read,
    readFolder: async (text) => {
      const path = await read(text);
      for (const link of await linksIn(path)) {
        const problem = await problemOf(link);
        if (problem !== undefined) throw new Error(problem);
      }
      return path;
    },
    write: (text) =>
      confined(
        text,
        roots.filter(({ readOnly }) => readOnly !== true),
        "write",
      ),
    problemOf,
  };
}

export interface RootPlaces {
  readonly cwd: string;
  readonly userHome?: string;
  readonly temporary?: string;
  readonly platform?: NodeJS.Platform;
}

/**
 * Where nobody configured roots: the folder that the server was started in, the user's own files, and the folder for
 * temporary ones, where assistants put what they were given.
 */
export function defaultRoots({
  cwd,
  userHome = homedir(),
  temporary = tmpdir(),
  platform = process.platform,
}: RootPlaces): Root[] {
  const except = platform === "darwin" ? ["Library"] : platform === "win32" ? ["AppData"] : [];
  const home = { path: userHome, except };
  // Some clients start servers in "/", which is no choice of anybody's.
  const isChosen = dirname(cwd) !== cwd && !isWithin(userHome, cwd);
  return [...(isChosen ? [{ path: cwd }] : []), home, { path: temporary }];
}

/** The path as it is meant; throws what cannot be one. */
export function absolutePath(text: string): string {
  if (text.includes("\0")) throw new Error("a path may not hold a NUL byte: give the path of a folder or file");
  if (/^(?:\\\\|\/\/)/.test(text)) {
    throw new Error(`${text} is a network or device path, which tools do not read: give a path on this machine`);
  }
  // In a glob, "{a,..}" leads up as well.
  if (/(?:^|[\\/{,])\.\.(?:[\\/},]|$)/.test(text)) {
    throw new Error(`${text} leads up with "..": give the absolute path itself`);
  }
  return resolve(text.replace(/^~(?=$|[/\\])/, () => homedir()));
}

const pathsOf = (roots: readonly Root[]): string[] => roots.map(({ path }) => path);

const outside = (path: string, verb: string, roots: readonly string[]): string =>
  `${path} lies outside the folders that tools may ${verb} (${roots.join(", ")}), or is hidden: give a path in one of them, ` +
  "or ask the user to add the folder to PREFLEXOR_ROOTS and to start the server again";

export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function isInside(path: string, roots: readonly Root[]): boolean {
  return roots.some(({ path: root, except = [] }) => {
    if (!isWithin(path, root)) return false;
    const parts = relative(root, path).split(sep);
    return !parts.some((part) => part.startsWith(".")) && !except.includes(parts[0] ?? "");
  });
}

/** The real path of it, or of the nearest folder above that is there; undefined where a link on the way leads nowhere. */
async function realAncestor(path: string): Promise<string | undefined> {
  let at = path;
  let rest = "";
  for (;;) {
    const real = await realpath(at).catch(() => undefined);
    if (real !== undefined) return join(real, rest);
    // A link to what is not there says by its refusal alone what lies outside.
    const info = await lstat(at).catch(() => undefined);
    if (info?.isSymbolicLink()) return undefined;
    rest = join(basename(at), rest);
    const above = dirname(at);
    if (above === at) return undefined;
    at = above;
  }
}

/** Reading a FIFO or a device may never end. */
async function kindProblem(path: string): Promise<string | undefined> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined || info.isFile() || info.isDirectory()) return undefined;
  return `${path} is a FIFO, a socket or a device: give a regular file or a folder`;
}

async function linksIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => join(folder, name));
}
