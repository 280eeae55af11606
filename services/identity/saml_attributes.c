/* Owns the sets of attributes. Set 0 is enough to know who somebody is; CIE has nothing beyond it. */
#include <string.h>
#include <stddef.h>
#include "saml_attributes.h"

static const char *const identity[] = { "name", "familyName", "fiscalNumber", NULL },
			 *const contacts[] = { "name", "familyName", "fiscalNumber", "email", "mobilePhone", NULL },
			 *const whole[] = { "spidCode", "name", "familyName", "fiscalNumber", "dateOfBirth",
				 "placeOfBirth", "countyOfBirth", "gender", "email", "mobilePhone",
				 "domicileStreetAddress", "domicilePostalCode", "domicileMunicipality",
				 "domicileProvince", "domicileNation", NULL },
			 *const card[] = { "name", "familyName", "dateOfBirth", "fiscalNumber", NULL };

static const struct saml_attribute_set spid[] = { { 0, "Identità", identity }, { 1, "Identità e recapiti", contacts },
	{ 2, "Identità, recapiti e residenza", whole }, { 0 } },
				       cie[] = { { 0, "Identità", card }, { 0 } };

const struct saml_attribute_set *saml_attribute_sets(const char *federation)
{
	return strcmp(federation, "cie") == 0 ? cie : spid;
}
