/* SPDX-License-Identifier: Apache-2.0
 *
 * The versions of the schema, oldest first; the build makes each og_migration_NNNN from migrations/NNNN.sql.
 * Adding one: the file, its line here and in meson.build. What has been released is never changed. */
OG_MIGRATION(1, og_migration_0001)
