/* The sets of attributes that a service may ask an identity provider for: the least that it needs, never one by one. */
#pragma once

struct saml_attribute_set {
	int index; /* AttributeConsumingServiceIndex, and clients.attribute_set */
	const char *name;
	const char *const *attributes; /* NULL-terminated */
};

/* Those of a federation; ends with an entry without name. */
const struct saml_attribute_set *saml_attribute_sets(const char *federation);
