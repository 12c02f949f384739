#ifndef ZOHOSYNC_CLIBPQ_SHIM_H
#define ZOHOSYNC_CLIBPQ_SHIM_H

#include <libpq-fe.h>

// libpq spells these as character-literal macros, which Swift does not import.
static const int zs_diag_severity = PG_DIAG_SEVERITY_NONLOCALIZED;
static const int zs_diag_sqlstate = PG_DIAG_SQLSTATE;
static const int zs_diag_message_primary = PG_DIAG_MESSAGE_PRIMARY;
static const int zs_diag_message_detail = PG_DIAG_MESSAGE_DETAIL;
static const int zs_diag_message_hint = PG_DIAG_MESSAGE_HINT;
static const int zs_diag_context = PG_DIAG_CONTEXT;
static const int zs_diag_schema_name = PG_DIAG_SCHEMA_NAME;
static const int zs_diag_table_name = PG_DIAG_TABLE_NAME;
static const int zs_diag_column_name = PG_DIAG_COLUMN_NAME;
static const int zs_diag_constraint_name = PG_DIAG_CONSTRAINT_NAME;
static const int zs_diag_source_function = PG_DIAG_SOURCE_FUNCTION;

#endif
