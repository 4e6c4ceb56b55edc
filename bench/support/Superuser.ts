import { join } from "node:path"
import type Pg from "pg"

/** How to reach the bundled database of a data folder, past every right. */
export const superuser = async (data_dir: string): Promise<Pg.PoolConfig> => {
  const home = join(data_dir, "postgres")
  const { postgres: password }: { readonly postgres: string } = await Bun.file(join(home, "credentials.json")).json()
  return { host: join(home, "data"), user: "postgres", password, database: "tracepipe" }
}
