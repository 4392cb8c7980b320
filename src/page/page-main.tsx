/** @file Entry of the page that the server shows, and of report.html, which carries its data in itself. */
import { render } from "preact";
import { embeddedReport, embeddedSource } from "./embedded-source.js";
import { httpSource } from "./http-source.js";
import { Page } from "./page.js";
import "./styles.js";
import { rememberedTheme, setTheme } from "./theme.js";

setTheme(rememberedTheme());
const report = embeddedReport();
const root = document.getElementById("page")!;
root.textContent = "";
render(<Page source={report === undefined ? httpSource() : embeddedSource(report)} />, root);
