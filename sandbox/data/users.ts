import type { User } from './model.ts';

/** The two people who can sign in. They share no company. */
export const users: User[] = [
  {
    id: '1001',
    email: 'ada@harborpine.example',
    password: 'pine-needle-tea',
    name: 'Ada Marsh',
    companyIds: [201, 202, 203],
  },
  {
    id: '1002',
    email: 'bruno@quillcopper.example',
    password: 'copper-kettle-9',
    name: 'Bruno Vale',
    companyIds: [301],
  },
];
