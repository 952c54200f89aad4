import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { sql } from 'kysely'
import { connectPglite, connectPostgres, type Connection, type Db } from '../../src/db/connect.ts'
import { ensurePlan } from '../../src/db/ensure-plan.ts'
import { installJobs } from '../../src/db/job-schema.ts'
import { insertEntries, type EntryContent } from '../../src/db/lists.ts'
import { migrate } from '../../src/db/migrate.ts'
import { addDays } from '../../src/domain/day.ts'
import { gramsOf, searchNameOf } from '../../src/domain/search-text.ts'

/** A name that {@link WANTED_HITS} entries bear, however many there are. */
export const WANTED = '青禾测试'
const WANTED_HITS = 40
const BATCH = 5000
const WORDS = [...'东南西北中金木水火土山川江河湖海云雨风雷春夏秋冬天地日月星辰安康宁和平顺福禄寿喜']
const TRADES = ['建材', '化工', '铸造', '家具', '印刷', '混凝土', '食品', '机械', '包装', '涂料']

/** One entry; the same for the same index on every run. */
function entry(index: number, total: number): EntryContent & { id: string; entryNo: string } {
  const pick = (list: readonly string[], salt: number): string =>
    list[Math.imul(index + 1, salt) % list.length] ?? list[0] ?? ''
  const wanted =
    index % Math.floor(total / WANTED_HITS) === 0 && index / Math.floor(total / WANTED_HITS) < WANTED_HITS
  const words = wanted ? WANTED : `${pick(WORDS, 7)}${pick(WORDS, 31)}${pick(WORDS, 113)}`
  const subjectName = `${words}${pick(TRADES, 3)}有限公司`
  const searchName = searchNameOf([subjectName])
  const listedOn = addDays('2026-11-01', -(index % 3000))
  return {
    id: randomUUID(),
    entryNo: `WD-2611-${index.toString(36).toUpperCase().padStart(5, '0')}`,
    state: 'listed',
    revision: 1,
    listedOn,
    endedOn: null,
    searchName,
    grams: gramsOf(searchName),
    data: {
      subjectKind: 'enterprise',
      subjectName,
      uscc: null,
      site: `示例路 ${index} 号`,
      exceeded: '颗粒物超过排放限值',
      reason: '检查时除尘设施停用，粉尘直接外排。',
      legalBasis: '《中华人民共和国大气污染防治法》第九十九条',
      decisionNo: `示环罚〔2026〕${index}号`,
      authority: 'qu-huanbao',
      decidedOn: listedOn,
      listedOn,
      listedUntil: null,
      evidence: null,
    },
  }
}

/**
 * So many cases of three years, one in twenty unfinished, as the queue and the ledger read them; the same for the
 * same number on every run. There is nothing sealed behind them.
 */
async function insertCases(db: Db, cases: number): Promise<void> {
  const shown = sql`
    select i, 'ZY-2611-' || lpad(upper(to_hex(i)), 5, '0') as case_no,
      (select array_agg(id order by id) from category) [1 + i * 7 % 45] as category,
      (select array_agg(id order by id) from area) [1 + i * 11 % 14] as area,
      (select array_agg(id order by id) from department) [1 + i * 13 % 41] as holder,
      date '2026-11-20' - (i * 17 % 1000) as received,
      case when i % 20 > 0 then 'closed' when i % 40 = 0 then 'routed' else 'working' end as state
    from generate_series(1, ${cases}::int) as i`
  await sql`
    insert into case_file (id, case_no, category_id, area_id, when_bucket, urgency, holder_id, co_departments, rule_id,
      measure_refs, derived, state, lane, received_day, accept_due, conclude_due, due_count, due_unit, outcome)
    select gen_random_uuid(), case_no, category, area, 'now', 'normal', holder, '{}', category, '{2017-14}', false,
      state, 'normal', received, received + 3, received + 21, 15, 'working',
      case when state = 'closed' then 'substantiated' end
    from (${shown}) as shown`.execute(db)
  await sql`
    insert into public_case (case_no, visible_from, holder_id, received_week, due_week, due_text, overdue_from,
      hand_overs, state, category_id, group_id, area_id, measure_refs, outcome, statement, proof, published_day,
      concluded_week, on_time)
    select case_no, received + 1, holder, date_trunc('week', received)::date, date_trunc('week', received + 21)::date,
      '', received + 28, 0, state, category, null, area, '{2017-14}',
      case when state = 'closed' then 'substantiated' end, case when state = 'closed' then '已责令整改。' end, '[]',
      case when state = 'closed' then received + 15 end, null, case when state = 'closed' then i % 9 > 0 end
    from (${shown}) as shown`.execute(db)
}

/** A migrated database with the plan, so many entries of one list and a tenth as many cases. */
export async function fillDatabase(
  target: { readonly databaseUrl: string | null; readonly dataDir: string },
  entries: number,
): Promise<void> {
  const connection: Connection =
    target.databaseUrl === null
      ? await connectPglite(join(target.dataDir, 'pglite'))
      : connectPostgres(target.databaseUrl, 2)
  try {
    const { db } = connection
    await migrate(db)
    await installJobs(connection)
    await ensurePlan(db)
    for (let start = 0; start < entries; start += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, entries - start) }, (_, index) =>
        entry(start + index, entries),
      )
      await db.transaction().execute((tx) => insertEntries(tx, 'non-compliant', batch))
    }
    await insertCases(db, Math.ceil(entries / 10))
    await sql`create table bench_insert (id bigint generated always as identity primary key, body jsonb not null)`.execute(
      db,
    )
    // As autovacuum leaves it: counts may then be read from an index alone.
    await sql`vacuum analyze`.execute(db)
  } finally {
    await connection.close()
  }
}
