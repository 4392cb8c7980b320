/** @file All styles, in the order in which they build on each other. */
import "uplot/dist/uPlot.min.css";
import "./css/tokens.css";
import "./css/base.css";
import "./css/layout.css";
import "./css/runs.css";
import "./css/curves.css";
import "./css/texts.css";
import "./css/graph.css";
