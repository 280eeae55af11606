/* Owns the people who can log in: those of the demonstration, by SPID's names of attributes. */
#include <string.h>
#include "spid.h"

static const char people[] =
	"[{\"spidCode\":\"PROVA35027CD1F\",\"name\":\"Anna\",\"familyName\":\"Bianchi\",\"fiscalNumber\":"
	"\"TINIT-BNCNNA85C52A944U\",\"dateOfBirth\":\"1985-03-12\",\"placeOfBirth\":\"A944\",\"countyOfBirth\":\"BO\","
	"\"gender\":\"F\",\"email\":\"anna.bianchi@posta.example\",\"mobilePhone\":\"+393331234501\","
	"\"domicileStreetAddress\":\"Via dell'Indipendenza 12\",\"domicilePostalCode\":\"40121\","
	"\"domicileMunicipality\":\"Bologna\",\"domicileProvince\":\"BO\",\"domicileNation\":\"IT\"},"
	"{\"spidCode\":\"PROVA6671EE1DA\",\"name\":\"Davide\",\"familyName\":\"Conti\",\"fiscalNumber\":"
	"\"TINIT-CNTDVD83P28A944Y\",\"dateOfBirth\":\"1983-09-28\",\"placeOfBirth\":\"A944\",\"countyOfBirth\":\"BO\","
	"\"gender\":\"M\",\"email\":\"davide.conti@posta.example\",\"mobilePhone\":\"+393331234502\","
	"\"domicileStreetAddress\":\"Via dell'Indipendenza 12\",\"domicilePostalCode\":\"40121\","
	"\"domicileMunicipality\":\"Bologna\",\"domicileProvince\":\"BO\",\"domicileNation\":\"IT\"},"
	"{\"spidCode\":\"PROVAFF5AA449A\",\"name\":\"Luca\",\"familyName\":\"Ferrari\",\"fiscalNumber\":"
	"\"TINIT-FRRLCU71L04A662B\",\"dateOfBirth\":\"1971-07-04\",\"placeOfBirth\":\"A662\",\"countyOfBirth\":\"BA\","
	"\"gender\":\"M\",\"email\":\"luca.ferrari@posta.example\",\"mobilePhone\":\"+393331234505\","
	"\"domicileStreetAddress\":\"Corso Vittorio Emanuele II 54\",\"domicilePostalCode\":\"70122\","
	"\"domicileMunicipality\":\"Bari\",\"domicileProvince\":\"BA\",\"domicileNation\":\"IT\"},"
	"{\"spidCode\":\"PROVA4C017601A\",\"name\":\"Maria\",\"familyName\":\"Lorusso\",\"fiscalNumber\":"
	"\"TINIT-LRSMRA90B57A662S\",\"dateOfBirth\":\"1990-02-17\",\"placeOfBirth\":\"A662\",\"countyOfBirth\":\"BA\","
	"\"gender\":\"F\",\"email\":\"maria.lorusso@posta.example\",\"mobilePhone\":\"+393331234506\","
	"\"domicileStreetAddress\":\"Via Sparano 101\",\"domicilePostalCode\":\"70121\","
	"\"domicileMunicipality\":\"Bari\",\"domicileProvince\":\"BA\",\"domicileNation\":\"IT\"},"
	"{\"spidCode\":\"PROVAB1B071DC0\",\"name\":\"Paolo\",\"familyName\":\"Greco\",\"fiscalNumber\":"
	"\"TINIT-GRCPLA58R30A944T\",\"dateOfBirth\":\"1958-10-30\",\"placeOfBirth\":\"A944\",\"countyOfBirth\":\"BO\","
	"\"gender\":\"M\",\"mobilePhone\":\"+393331234507\",\"domicileStreetAddress\":\"Via Saragozza 77\","
	"\"domicilePostalCode\":\"40123\",\"domicileMunicipality\":\"Bologna\",\"domicileProvince\":\"BO\","
	"\"domicileNation\":\"IT\"}]";

const json_t *people_list(void)
{
	static json_t *list; /* made once, before the first request: see main */

	if (!list)
		list = json_loads(people, 0, NULL);
	return list;
}

const json_t *people_find(const char *fiscal_code)
{
	size_t index;
	json_t *person;

	json_array_foreach((json_t *)people_list(), index, person)
	{
		if (fiscal_code && strcmp(json_text(person, "fiscalNumber") + strlen("TINIT-"), fiscal_code) == 0)
			return person;
	}
	return NULL;
}
