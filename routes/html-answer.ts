import type { FastifyReply } from 'fastify';
import { PAGE_POLICY } from '../src/registry/pages/layout.ts';
import { type HeaderList, sendTagged } from './answer.ts';

/** A page for people, which may run and load nothing but what stands in it. */
export const HTML_TYPE = 'text/html';

const HEADERS: HeaderList = [
  'Content-Security-Policy',
  PAGE_POLICY,
  'X-Content-Type-Options',
  'nosniff',
  'Referrer-Policy',
  'same-origin',
];

export function sendPage(reply: FastifyReply, html: string, headers: HeaderList = []): void {
  sendTagged(reply, html, [...HEADERS, ...headers], `${HTML_TYPE}; charset=utf-8`);
}
