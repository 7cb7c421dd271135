type Paging = { page: number; perPage: number };

/** The three fields of a paginated answer, at top level beside the list. */
export function pageFields(total: number, { page, perPage }: Paging) {
  return {
    current_page: page,
    per_page: perPage,
    last_page: Math.max(1, Math.ceil(total / perPage)),
  };
}

/** The entries of the page; a page past the end is empty. */
export function pageOf<T>(list: T[], { page, perPage }: Paging): T[] {
  return list.slice((page - 1) * perPage, page * perPage);
}
