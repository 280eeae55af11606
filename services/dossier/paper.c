/* Owns how a decision looks on paper: A4, the fonts that every reader has, Western European letters. Knows nothing of
 * states or rights. */
#include "paper.h"
#include <hpdf.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>

static const float margin = 70, bottom = 70, small = 9, normal = 11, large = 15;

struct sheet {
	struct request *rq;
	HPDF_Doc pdf;
	HPDF_Page page;
	HPDF_Font plain, bold;
	float y; /* of the next line */
};

/* Windows-1252, which WinAnsiEncoding is; a letter that it does not have becomes the closest, or '?'. */
static const char *western(struct request *rq, const char *utf8)
{
	iconv_t converter = iconv_open("WINDOWS-1252//TRANSLIT", "UTF-8");
	size_t left = strlen(utf8), room = 2 * left;
	char *text = arena_alloc(rq->arena, room + 1), *out = text, *in = (char *)utf8;

	while (left && iconv(converter, &in, &left, &out, &room) == (size_t)-1 && room) {
		*out++ = '?';
		room--;
		do {
			in++;
			left--;
		} while (left && ((unsigned char)*in & 0xc0) == 0x80);
	}
	iconv_close(converter);
	return text;
}

static void turn_page(struct sheet *sheet)
{
	sheet->page = HPDF_AddPage(sheet->pdf);
	HPDF_Page_SetSize(sheet->page, HPDF_PAGE_SIZE_A4, HPDF_PAGE_PORTRAIT);
	sheet->y = HPDF_Page_GetHeight(sheet->page) - margin;
}

static void put_line(struct sheet *sheet, HPDF_Font font, float size, const char *line, size_t length)
{
	if (sheet->y < bottom)
		turn_page(sheet);
	HPDF_Page_BeginText(sheet->page);
	HPDF_Page_SetFontAndSize(sheet->page, font, size);
	HPDF_Page_TextOut(sheet->page, margin, sheet->y, arena_strndup(sheet->rq->arena, line, length));
	HPDF_Page_EndText(sheet->page);
	sheet->y -= size * 1.4F;
}

/* A paragraph, wrapped at words; one that is too long for a line is broken. Newlines hold. */
static void put(struct sheet *sheet, HPDF_Font font, float size, const char *utf8)
{
	float width = HPDF_Page_GetWidth(sheet->page) - 2 * margin;

	for (const char *text = western(sheet->rq, utf8); *text;) {
		size_t row = strcspn(text, "\n"), fits = row;

		if (row) {
			fits = HPDF_Font_MeasureText(
				font, (const HPDF_BYTE *)text, (HPDF_UINT)row, width, size, 0, 0, HPDF_TRUE, NULL);
			if (!fits)
				fits = HPDF_Font_MeasureText(font, (const HPDF_BYTE *)text, (HPDF_UINT)row, width, size,
					0, 0, HPDF_FALSE, NULL);
			if (!fits)
				fits = row;
		}
		put_line(sheet, font, size, text, fits);
		text += fits + (text[fits] == '\n');
		if (fits < row)
			text += strspn(text, " ");
	}
	sheet->y -= size * 0.5F;
}

static const char *italian_day(struct request *rq, const char *iso)
{
	static const char *const months[] = { "gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio",
		"agosto", "settembre", "ottobre", "novembre", "dicembre" };
	int year, month, day;

	if (!iso || sscanf(iso, "%d-%d-%d", &year, &month, &day) != 3 || month < 1 || month > 12)
		return NULL;
	return arena_printf(rq->arena, "%d%s %s %d", day, day == 1 ? "°" : "", months[month - 1], year);
}

static void put_subject(struct sheet *sheet, const json_t *facts)
{
	struct arena *arena = sheet->rq->arena;
	const char *name = json_text(facts, "applicant"), *code = json_text(facts, "fiscalCode");
	const char *day = italian_day(sheet->rq, json_text(facts, "registeredOn"));

	put(sheet, sheet->bold, normal, arena_printf(arena, "Oggetto: %s", json_text(facts, "service")));
	if (name)
		put(sheet, sheet->plain, normal,
			arena_printf(
				arena, "Richiedente: %s%s%s", name, code ? ", codice fiscale " : "", code ? code : ""));
	if (json_at(facts, "registration.number"))
		put(sheet, sheet->plain, normal,
			arena_printf(arena, "Istanza registrata al protocollo con il n. %lld/%lld%s%s",
				json_int(facts, "registration.number"), json_int(facts, "registration.year"),
				day ? " del " : "", day ? day : ""));
	put(sheet, sheet->plain, small,
		arena_printf(arena, "Identificativo della pratica: %s", json_text(facts, "practice")));
}

static void put_decision(struct sheet *sheet, const json_t *facts, bool approved, const char *text)
{
	struct arena *arena = sheet->rq->arena;

	sheet->y -= normal;
	put(sheet, sheet->bold, normal,
		approved ? "L'istanza è accolta." : "L'istanza non è accolta, per questi motivi:");
	if (text)
		put(sheet, sheet->plain, normal, text);
	put(sheet, sheet->plain, small,
		arena_printf(arena, "Riferimenti normativi: %s.", json_text(facts, "legalBasis")));
	if (!approved)
		put(sheet, sheet->plain, small,
			"Contro questo provvedimento si può presentare ricorso al Tribunale amministrativo "
			"regionale entro 60 giorni, oppure ricorso straordinario al Presidente della "
			"Repubblica entro 120 giorni, da quando se ne ha avuto conoscenza.");
	put(sheet, sheet->plain, normal,
		arena_printf(arena, "Data: %s", italian_day(sheet->rq, json_text(facts, "decidedOn"))));
	put(sheet, sheet->plain, normal,
		arena_printf(arena, "%s, %s", json_text(facts, "tenant"), json_text(facts, "office")));
}

static void date_file(HPDF_Doc pdf, const char *moment)
{
	HPDF_Date date = { .ind = 'Z' };

	sscanf(moment, "%4d%2d%2d%2d%2d%2d", &date.year, &date.month, &date.day, &date.hour, &date.minutes,
		&date.seconds);
	HPDF_SetInfoDateAttr(pdf, HPDF_INFO_CREATION_DATE, date);
	HPDF_SetInfoDateAttr(pdf, HPDF_INFO_MOD_DATE, date);
}

static bool read_out(struct sheet *sheet, struct paper *ret_paper)
{
	HPDF_UINT32 size;
	HPDF_BYTE *bytes;

	HPDF_SaveToStream(sheet->pdf);
	size = HPDF_GetStreamSize(sheet->pdf);
	HPDF_ResetStream(sheet->pdf);
	bytes = arena_alloc(sheet->rq->arena, size + 1);
	HPDF_ReadFromStream(sheet->pdf, bytes, &size);
	*ret_paper = (struct paper){ bytes, size };
	return size > 0;
}

bool paper_decision(struct request *rq, const json_t *facts, bool approved, const char *text, struct paper *ret_paper)
{
	struct sheet sheet = { .rq = rq, .pdf = HPDF_New(NULL, NULL) };
	bool made = false;

	if (sheet.pdf) {
		sheet.plain = HPDF_GetFont(sheet.pdf, "Helvetica", "WinAnsiEncoding");
		sheet.bold = HPDF_GetFont(sheet.pdf, "Helvetica-Bold", "WinAnsiEncoding");
		HPDF_SetInfoAttr(sheet.pdf, HPDF_INFO_TITLE, western(rq, json_text(facts, "service")));
		HPDF_SetInfoAttr(sheet.pdf, HPDF_INFO_AUTHOR, western(rq, json_text(facts, "tenant")));
		date_file(sheet.pdf, json_text(facts, "decidedAt"));
		turn_page(&sheet);
		put(&sheet, sheet.bold, large, json_text(facts, "tenant"));
		put(&sheet, sheet.plain, normal, json_text(facts, "office"));
		sheet.y -= large;
		put(&sheet, sheet.bold, large, approved ? "Provvedimento di accoglimento" : "Provvedimento di diniego");
		put_subject(&sheet, facts);
		put_decision(&sheet, facts, approved, text);
		made = HPDF_GetError(sheet.pdf) == HPDF_OK && read_out(&sheet, ret_paper);
		HPDF_Free(sheet.pdf);
	}
	if (!made)
		problem(rq, 500, "internal-error", "The document of the decision could not be made.");
	return made;
}
