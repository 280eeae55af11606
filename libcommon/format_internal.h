/* The formats in their files: format.c has the table, format_time.c, format_net.c and format_codes.c what the names
 * mean. */
#pragma once
#include <stdbool.h>

/* What holds a text against the format of this name; NULL when there is none. */
bool (*format_function(const char *format))(const char *text);

bool format_date(const char *text);
bool format_date_time(const char *text);
bool format_email(const char *text);
bool format_uri(const char *text);
bool format_uri_reference(const char *text);
bool format_ipa_code(const char *text);
bool format_iuv(const char *text);
bool format_notice_number(const char *text);
