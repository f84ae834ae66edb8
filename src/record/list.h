/* SPDX-License-Identifier: Apache-2.0
 *
 * The stores. Adding one: its file, and its line here. */
OG_STORE(og_store_sqlite)
